"""Keys under which quantities are summed before they are priced."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from neocloud.books.prices import Meter
from neocloud.ledger import Status
from neocloud.units import SECOND_NS


class TokenKey(NamedTuple):
    """Billed tokens that differ in nothing but the tier that they fall into.

    Attributes:
        version: id of the price version.
        since_ns: start of the rates within it.
        adjustments: names, in the version's order.
        contract: that covers them whole (`dedicated`); else empty.
    """

    tenant: str
    model: str
    meter: Meter
    month: str
    status: Status
    emulated: bool
    billed: bool
    version: str
    since_ns: int
    adjustments: tuple[str, ...]
    contract: str


class HeldKey(NamedTuple):
    """Accelerator-time of a tenant at one price."""

    tenant: str
    accelerator: str
    model: str
    month: str
    emulated: bool
    billed: bool
    contract: str
    since_ns: int
    unit_pico: int
    currency: str


class CountKey(NamedTuple):
    """Requests that are counted together."""

    tenant: str
    model: str
    status: Status
    emulated: bool


class Share(NamedTuple):
    """Tokens of an hour that contracts may cover: which of them, by their place in the file."""

    contracts: tuple[int, ...]
    key: TokenKey


class HourKey(NamedTuple):
    """An hour of a tenant's use of a model, in which contracts cover so many tokens."""

    tenant: str
    model: str
    hour: int
    emulated: bool


def month_of(time_ns: int) -> str:
    """UTC month of a moment, `2026-10`."""
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).strftime("%Y-%m")


def month_after(time_ns: int) -> int:
    """First moment of the next UTC month."""
    moment = datetime.fromtimestamp(time_ns // SECOND_NS, UTC)
    year, month = divmod(moment.year * 12 + moment.month, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) * SECOND_NS
