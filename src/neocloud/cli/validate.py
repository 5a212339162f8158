"""`neocloud validate`: check a cloud file and sum it up."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from neocloud.catalog import load_catalog
from neocloud.cli.failure import WRONG_INPUT, Failure
from neocloud.cli.tables import console, significant, table
from neocloud.spec import (
    SpecError,
    Summary,
    Validation,
    load_cloud,
    summarise,
)


@click.command(name="validate")
@click.argument("cloud_file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the summary or the mistakes as JSON.")
def command(cloud_file: Path, as_json: bool) -> None:
    """Check CLOUD_FILE and sum up what it declares.

    Shows all mistakes at once, each with its line and column, what was expected and the nearest
    right name, and ends with exit status 2. Notes tell what is no mistake but should be known, such
    as fields that no verb uses yet.
    """
    catalog = load_catalog()
    try:
        cloud = load_cloud(cloud_file, catalog)
    except SpecError as error:
        if as_json:
            _print_json(
                Validation(file=str(cloud_file), valid=False, problems=error.problems, summary=None)
            )
            raise click.exceptions.Exit(WRONG_INPUT) from None
        told = "\n".join(str(problem) for problem in error.problems)
        raise Failure(f"{told}\n{_count(len(error.problems), 'mistake')}.") from None
    summary = summarise(cloud, catalog)
    if as_json:
        _print_json(
            Validation(file=cloud.file, valid=True, problems=(), notes=cloud.notes, summary=summary)
        )
        return
    _show(summary)
    for note in cloud.notes:
        click.echo(f"Note: {note}")
    verb = "plan" if cloud.models else "report"
    click.echo(f"{cloud.file} is valid. Next: neocloud {verb} {cloud.file}")


def _print_json(found: Validation) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())


def _show(s: Summary) -> None:
    out = console()
    right = "right"
    made = [
        table(
            f"{s.cloud}: sites",
            [
                ("site", ""), ("metro", ""), ("pool", ""), ("accelerator", ""), ("nodes", right),
                ("accelerators", right), ("engine", ""), ("nodes' maximum kW", right),
            ],
            [
                [
                    site.site, site.metro, pool.pool, pool.accelerator, f"{pool.nodes:,}",
                    f"{pool.accelerators:,}", pool.engine, significant(pool.node_power_kw),
                ]
                for site in s.sites
                for pool in site.pools
            ],
        ),
        table(
            "Power",
            [
                ("site", ""), ("all nodes at their maximum, cooling included, kW", right),
                ("contracts allow, kW", right), ("active, kW", right), ("price per MWh", ""),
            ],
            [
                [
                    site.site, significant(site.full_power_kw),
                    "no limit" if site.contracted_kw is None else significant(site.contracted_kw),
                    "all" if site.active_kw is None else significant(site.active_kw),
                    ", then ".join(site.price_per_mwh),
                ]
                for site in s.sites
            ],
        ),
        table(
            "Models and demand",
            [
                ("model", ""), ("parameters", right), ("precisions", ""),
                ("ttft, tpot ms", right), ("percentile", right), ("requests/s", right),
                ("tenants", ""), ("metros", right),
            ],
            [
                [
                    m.model, f"{m.parameters / 1e9:.1f} B", ", ".join(m.precisions),
                    f"{m.ttft_ms:g}, {m.tpot_ms:g}", f"{m.percentile:g}",
                    significant(m.requests_per_s), ", ".join(m.tenants) or "none asks for it",
                    str(m.metros),
                ]
                for m in s.models
            ],
        ),
    ]  # fmt: skip
    for each in made:
        if each.row_count:  # a company in figures has no sites and no models
            out.print(each)
    click.echo(
        f"{_count(len(s.sites), 'site')}, {_count(s.accelerators, 'accelerator')}, "
        f"{_count(len(s.models), 'model')}, {_count(len(s.tenants), 'tenant')}, "
        f"{significant(s.requests_per_s)} requests/s; money in {s.currency}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
