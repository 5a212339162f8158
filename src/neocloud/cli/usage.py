"""`neocloud usage`: what was metered."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from neocloud.books import UsageSummary, summarise_usage
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import check_tenant, ledger_failures, ledger_of, read_period
from neocloud.cli.tables import console, table
from neocloud.ledger import Reader, ledger_path
from neocloud.spec import Cloud


@click.command(name="usage")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--ledger", help="Ledger to read, as sqlite:///ledger.db; the file's unless given.")
@click.option(
    "--period", help="Only this, UTC: 2026-10, 2026-10-05 or START/END; all unless given."
)
@click.option("--tenant", help="Only this tenant's.")
@click.option("--json", "as_json", is_flag=True, help="Print the sums as JSON.")
def command(
    cloud_file: Path | None,
    ledger: str | None,
    period: str | None,
    tenant: str | None,
    as_json: bool,
) -> None:
    """Show what CLOUD_FILE's ledger holds: requests and tokens by tenant, model and status.

    A request belongs to the period in which it was admitted. With --ledger no file is needed.
    """
    cloud = None if cloud_file is None else open_cloud(cloud_file)[0]
    with ledger_failures():
        reader = Reader(_where(cloud, cloud_file, ledger))
        summary = _summary(reader, cloud, period, tenant)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
        return
    _show(summary)


def _where(cloud: Cloud | None, cloud_file: Path | None, ledger: str | None) -> Path:
    if ledger is not None:
        return ledger_path(ledger, Path.cwd())
    if cloud is None or cloud_file is None:
        raise Failure(
            "which ledger? Give the cloud's file: neocloud usage FILE, or the ledger: "
            "neocloud usage --ledger sqlite:///ledger.db"
        )
    return ledger_of(cloud, cloud_file)


def _summary(
    reader: Reader, cloud: Cloud | None, asked: str | None, tenant: str | None
) -> UsageSummary:
    period = read_period(asked)
    span = period or reader.span()
    events = list(reader.usage(period))
    waiting = [a for a in reader.open_requests() if period is None or a.admitted_ns in period]
    if tenant is not None:
        declared = () if cloud is None else tuple(cloud.tenants)
        known = [*declared, *(e.tenant for e in events), *(a.tenant for a in waiting)]
        check_tenant(tenant, dict.fromkeys(known), cloud.file if cloud else reader.name)
    return summarise_usage(
        "" if span is None else str(span),
        (e for e in events if tenant in (None, e.tenant)),
        (a for a in waiting if tenant in (None, a.tenant)),
    )


def _show(s: UsageSummary) -> None:
    right = "right"
    if s.lines:
        console().print(
            table(
                f"Usage, {s.period}",
                [
                    ("tenant", ""), ("model", ""), ("status", ""), ("requests", right),
                    ("input", right), ("of it cached", right), ("output", right),
                    ("emulated", right), ("estimated", right),
                ],
                [
                    [
                        line.tenant, line.model, line.status, f"{line.requests:,}",
                        f"{line.input_tokens:,}", f"{line.cached_tokens:,}",
                        f"{line.output_tokens:,}", f"{line.emulated:,}", f"{line.estimated:,}",
                    ]
                    for line in s.lines
                ],
            )
        )  # fmt: skip
    requests = sum(line.requests for line in s.lines)
    tokens = sum(line.input_tokens + line.output_tokens for line in s.lines)
    click.echo(f"{requests:,} requests ended, {tokens:,} tokens; {s.open_requests:,} are open.")
