"""`neocloud usage`: what was metered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from neocloud.books.usage import BY_DEFAULT, DIMENSIONS, UsageSummary, summarise_usage
from neocloud.catalog import nearest
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import (
    check_tenant,
    cloud_file_argument,
    ledger_asked,
    ledger_failures,
    ledger_option,
    period_option,
    read_period,
    segments_option,
)
from neocloud.cli.tables import console, counted, table
from neocloud.ledger import Reader, UsageEvent
from neocloud.spec import Cloud
from neocloud.units import Period


@click.command(name="usage")
@cloud_file_argument
@ledger_option
@segments_option
@period_option
@click.option("--tenant", help="Only this tenant's.")
@click.option(
    "--by",
    "by_text",
    default=",".join(BY_DEFAULT),
    show_default=True,
    help=f"What to tell apart, in this order: any of {', '.join(DIMENSIONS)}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the sums as JSON.")
def command(
    cloud_file: Path | None,
    ledger: str | None,
    segments: Path | None,
    period: str | None,
    tenant: str | None,
    by_text: str,
    as_json: bool,
) -> None:
    """Show what CLOUD_FILE's ledger holds: requests and tokens by tenant, model, day and more.

    A request belongs to the period, day and hour in which it was admitted. With --ledger no file is
    needed. What a running gateway has not shipped to the ledger yet is counted too.
    """
    by = _read_by(by_text)
    cloud = None if cloud_file is None else open_cloud(cloud_file)[0]
    with ledger_failures():
        reader = Reader(ledger_asked(cloud, cloud_file, ledger, segments, "usage"))
        summary = _summary(reader, cloud, read_period(period), tenant, by)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
        return
    _show(summary)


def _read_by(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in DIMENSIONS:
            near = nearest(name, DIMENSIONS)
            hint = f"Nearest: {', '.join(near)}. " if near else ""
            raise Failure(f"--by {text}: no {name!r}. {hint}All: {', '.join(DIMENSIONS)}.")
    if len(set(names)) < len(names):
        raise Failure(f"--by {text}: name each once.")
    return names


def _summary(
    reader: Reader,
    cloud: Cloud | None,
    period: Period | None,
    tenant: str | None,
    by: tuple[str, ...],
) -> UsageSummary:
    span = period or reader.span()
    known = dict.fromkeys(() if cloud is None else cloud.tenants)

    def wanted(events: Iterator[UsageEvent]) -> Iterator[UsageEvent]:
        for event in events:
            if event.tenant == tenant:
                yield event
            else:
                known[event.tenant] = None

    waiting = [a for a in reader.open_requests() if period is None or a.admitted_ns in period]
    events = reader.usage(period)
    if tenant is None:
        return summarise_usage(_named(span), events, waiting, by)
    mine = [a for a in waiting if a.tenant == tenant]
    summary = summarise_usage(_named(span), wanted(events), mine, by)
    if not summary.requests and not mine:
        known.update(dict.fromkeys(a.tenant for a in waiting))
        check_tenant(tenant, known, cloud.file if cloud else reader.name)
    return summary


def _named(span: Period | None) -> str:
    return "" if span is None else str(span)


def _show(s: UsageSummary) -> None:
    right = "right"
    if s.lines:
        counts = (
            ("requests", "requests"), ("input_tokens", "input"), ("cached_tokens", "of it cached"),
            ("output_tokens", "output"), ("reasoning_tokens", "of it reasoning"),
            ("emulated", "emulated"), ("estimated", "estimated"),
        )  # fmt: skip
        console().print(
            table(
                f"Usage, {s.period}",
                [*((name, "") for name in s.by), *((heading, right) for _, heading in counts)],
                [
                    [
                        *(str(getattr(line, name)) for name in s.by),
                        *(f"{getattr(line, field):,}" for field, _ in counts),
                    ]
                    for line in s.lines
                ],
            )
        )
    tokens = s.input_tokens + s.output_tokens
    are_open = f"{s.open_requests:,} {'is' if s.open_requests == 1 else 'are'} open"
    click.echo(f"{counted(s.requests, 'request')} ended, {counted(tokens, 'token')}; {are_open}.")
