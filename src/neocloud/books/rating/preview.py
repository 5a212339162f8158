"""What usage would cost, beside what was billed: the records of `neocloud rate --dry-run`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from neocloud.books.prices import Meter
from neocloud.books.rating.records import Rated, RatedLine
from neocloud.units import Amount, format_utc

SCHEMA = "neocloud.rate/1"


class PreviewLine(msgspec.Struct, frozen=True, kw_only=True):
    """A rated line as it is shown. Amounts and prices are exact decimals.

    Attributes:
        tenant: tenant id.
        meter: what is counted.
        model: model key; empty for accelerators that serve none.
        accelerator: of accelerator-hours; else empty.
        month: UTC month.
        status: how the requests ended; empty for accelerator-hours.
        emulated: True for use of emulated engines, which is never invoiced as real.
        billed: False where the status is not billed.
        contract: name of the contract whose price holds; empty for none.
        adjustments: names of those that changed the price.
        tier: number of the tier, from 0.
        version: id of the price version.
        since: from when the price holds, UTC; empty for the beginning.
        quantity: tokens, or accelerator-nanoseconds.
        currency: of price and amount.
        price: of a million tokens, or of an accelerator-hour.
        amount: what it costs, unrounded.
    """

    tenant: str
    meter: Meter
    model: str
    accelerator: str
    month: str
    status: str
    emulated: bool
    billed: bool
    contract: str
    adjustments: tuple[str, ...]
    tier: int
    version: str
    since: str
    quantity: int
    currency: str
    price: Decimal
    amount: Decimal


class PreviewSum(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant's use of one thing would cost, and what was billed for it.

    Attributes:
        tenant: tenant id.
        meter: what is counted.
        model: model key; empty for accelerators that serve none.
        accelerator: of accelerator-hours; else empty.
        emulated: True for use of emulated engines: no invoice of it has a number.
        currency: of the amounts.
        amount: what it would cost, unrounded.
        in_force: what it costs at the prices in force; None where those are what was asked for.
        billed: on invoices and credit notes with a number, unrounded.
        difference: `amount` less `billed`.
    """

    tenant: str
    meter: Meter
    model: str
    accelerator: str
    emulated: bool
    currency: str
    amount: Decimal
    in_force: Decimal | None
    billed: Decimal
    difference: Decimal


class RatePreview(msgspec.Struct, frozen=True, kw_only=True):
    """What `neocloud rate --dry-run` shows.

    Attributes:
        schema: name and version of this form.
        cloud: name of the cloud.
        period: start and end, UTC.
        version: id of the file's price version.
        requests: that were rated.
        unbilled: of them, of a status that is not billed.
        repriced: of them, admitted under a version that was not kept: rated at the file's.
        emulated: of them, answered by emulated engines.
        lines: rated lines.
        sums: by tenant and what was used.
    """

    schema: str = SCHEMA
    cloud: str
    period: str
    version: str
    requests: int
    unbilled: int
    repriced: int
    emulated: int
    lines: tuple[PreviewLine, ...]
    sums: tuple[PreviewSum, ...]


def make_preview(
    cloud: str,
    period: str,
    version: str,
    rated: Rated,
    in_force: Rated | None,
    billed: Iterable[RatedLine],
) -> RatePreview:
    """Put rated usage beside what was billed.

    Args:
        cloud: name of the cloud.
        period: how it is called.
        version: id of the file's price version.
        rated: at the prices that were asked for.
        in_force: at those in force, where others were asked for.
        billed: lines of documents of the period.
    """
    asked, now, before = _sums(rated.lines), None, _sums(billed)
    if in_force is not None:
        now = _sums(in_force.lines)
    return RatePreview(
        cloud=cloud,
        period=period,
        version=version,
        requests=sum(count.requests for count in rated.requests),
        unbilled=sum(count.unbilled for count in rated.requests),
        repriced=sum(count.repriced for count in rated.requests),
        emulated=sum(count.requests for count in rated.requests if count.emulated),
        lines=tuple(map(_line, rated.lines)),
        sums=tuple(
            PreviewSum(
                tenant=key[0],
                meter=key[1],
                model=key[2],
                accelerator=key[3],
                emulated=key[4],
                currency=key[5],
                amount=_exact(asked.get(key, 0), key[5]),
                in_force=None if now is None else _exact(now.get(key, 0), key[5]),
                billed=_exact(before.get(key, 0), key[5]),
                difference=_exact(asked.get(key, 0) - before.get(key, 0), key[5]),
            )
            for key in sorted(asked.keys() | before.keys() | (now or {}).keys())
        ),
    )


def preview_csv(preview: RatePreview) -> str:
    """The rated lines as CSV under a head; adjustments are parted by semicolons."""
    file = io.StringIO()
    write = csv.writer(file, lineterminator="\n").writerow
    write(PreviewLine.__struct_fields__)
    for line in preview.lines:
        write(map(_plain, msgspec.structs.astuple(line)))
    return file.getvalue()


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return "; ".join(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


_Key = tuple[str, Meter, str, str, bool, str]


def _sums(lines: Iterable[RatedLine]) -> dict[_Key, int]:
    sums: dict[_Key, int] = {}
    for line in lines:
        key = (
            line.tenant, line.meter, line.model, line.accelerator, line.emulated, line.currency,
        )  # fmt: skip
        sums[key] = sums.get(key, 0) + line.pico
    return sums


def _exact(pico: int, currency: str) -> Decimal:
    return Amount(currency, pico).exact


def _line(line: RatedLine) -> PreviewLine:
    scale = 1_000_000 if line.meter.is_tokens else 1
    values = {name: getattr(line, name) for name in PreviewLine.__struct_fields__ if name in _SAME}
    return PreviewLine(
        **values,
        since=format_utc(line.since_ns) if line.since_ns else "",
        price=_exact(line.unit_pico * scale, line.currency),
        amount=_exact(line.pico, line.currency),
    )


_SAME = frozenset(RatedLine.__struct_fields__)
