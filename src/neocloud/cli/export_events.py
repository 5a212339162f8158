"""`neocloud export parquet` and `csv`: what was metered, as a file for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

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
from neocloud.cli.tables import counted
from neocloud.ledger import Reader, RecordReader
from neocloud.ledger.export import FORMATS
from neocloud.ledger.schema import TABLES
from neocloud.units import Period

_TABLES = {table.name: table for table in TABLES}


def _form(form: str) -> click.Command:
    """The verb of one form of file."""

    @click.command(
        name=form,
        help=f"""Write what CLOUD_FILE's ledger holds as {form}: one row an event.

    A request belongs to the period in which it was admitted; spans of allocation and energy are
    written whole if they overlap it. Times are nanoseconds since the epoch, UTC. Parquet needs the
    extra `parquet`.
    """,
    )
    @cloud_file_argument
    @ledger_option
    @segments_option
    @period_option
    @click.option(
        "--records",
        type=click.Choice(tuple(_TABLES)),
        default="usage",
        show_default=True,
        help="Which events: one file holds one kind.",
    )
    @click.option("--tenant", help="Only this tenant's; of usage, allocation and energy.")
    @click.option(
        "--as-recorded",
        is_flag=True,
        help="Of usage: events as they were first recorded, without what was corrected since.",
    )
    @click.option(
        "--out",
        required=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help="File to write; it takes the place of one that is there, when it is whole.",
    )
    def verb(
        cloud_file: Path | None,
        ledger: str | None,
        segments: Path | None,
        period: str | None,
        records: str,
        tenant: str | None,
        as_recorded: bool,
        out: Path,
    ) -> None:
        table = _TABLES[records]
        if tenant is not None and "tenant" not in {column.name for column in table.columns}:
            raise Failure(f"--tenant: {records} is not kept by tenant; leave it out.")
        cloud = None if cloud_file is None else open_cloud(cloud_file)[0]
        if cloud is not None and tenant is not None:
            check_tenant(tenant, cloud.tenants, cloud.file)
        with ledger_failures():
            place = ledger_asked(cloud, cloud_file, ledger, segments, f"export {form}")
            reader = RecordReader(place) if as_recorded else Reader(place)
            try:
                events = _events(reader, records, read_period(period), tenant)
                count = FORMATS[form](table, events, out)
            except OSError as error:
                raise Failure(f"{out} cannot be written: {error.strerror}.") from None
        click.echo(f"{out}: {counted(count, 'row')} of {records}.")

    return verb


def _events(
    reader: RecordReader, records: str, period: Period | None, tenant: str | None
) -> Iterator[Any]:
    read: dict[str, Callable[[Period | None], Iterator[Any]]] = {
        "usage": reader.usage,
        "allocation": reader.allocation,
        "energy": reader.energy,
        "attempts": reader.attempts,
        "corrections": reader.corrections,
    }
    for event in read[records](period):
        if tenant is None or event.tenant == tenant:
            yield event


parquet = _form("parquet")
csv = _form("csv")
