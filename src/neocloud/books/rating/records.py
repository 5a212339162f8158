"""Rated usage: quantities by all that sets their price, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from neocloud.books.prices import Meter
from neocloud.ledger import Status


class UnpricedModelError(ValueError):
    """Usage of a model that its price version does not know."""


class UnpricedHoursError(ValueError):
    """Accelerators were held by a tenant, and neither a contract nor a price covers them."""


class RatedLine(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A quantity at one price. All of a period's lines together hold every token of its events.

    Lines of the same `key` add up: quantities first, then `pico` anew.

    Attributes:
        tenant: tenant id.
        meter: what is counted.
        model: model key; empty for accelerators that serve none.
        accelerator: of accelerator-hours; else empty.
        month: UTC month in which it was admitted or held, and in which tiers count: `2026-10`.
        status: how the requests ended; empty for accelerator-hours.
        emulated: True for use of emulated engines, which is never invoiced as real.
        billed: False where the version does not bill the status; the price is then 0.
        contract: name of the contract that covers it: its price holds, and no tier counts it.
        adjustments: names of those that changed the price, in the version's order.
        tier: number of the tier, from 0.
        version: id of the price version; of a contract's line too, for what it was admitted under.
        since_ns: from when the price holds within its version or contract; 0 from the beginning.
        currency: of the price.
        unit_pico: price of one token or of one accelerator-hour, 1e-12 of the currency.
        quantity: tokens, or accelerator-nanoseconds.
        pico: amount in 1e-12 of the currency: exact for tokens; for time, rounded once, here.
    """

    tenant: str
    meter: Meter
    model: str = ""
    accelerator: str = ""
    month: str
    status: str = ""
    emulated: bool = False
    billed: bool = True
    contract: str = ""
    adjustments: tuple[str, ...] = ()
    tier: int = 0
    version: str = ""
    since_ns: int = 0
    currency: str
    unit_pico: int
    quantity: int
    pico: int

    @property
    def key(self) -> tuple[object, ...]:
        """All but quantity and amount."""
        return msgspec.structs.astuple(self)[:-2]


class RequestCount(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Requests of a tenant and model by how they ended.

    Attributes:
        requests: how many.
        estimated: of them, with a token count of ours, not the engine's.
        repriced: of them, admitted under a version that was not kept: rated at the current one.
        unbilled: of them, of a status that their version does not bill.
    """

    tenant: str
    model: str
    status: Status
    emulated: bool
    requests: int
    estimated: int
    repriced: int
    unbilled: int


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """Rated usage of a period, sorted; the same for any order of the same events."""

    lines: tuple[RatedLine, ...]
    requests: tuple[RequestCount, ...]

    def of(self, tenant: str) -> Rated:
        """One tenant's part."""
        return Rated(
            lines=tuple(line for line in self.lines if line.tenant == tenant),
            requests=tuple(count for count in self.requests if count.tenant == tenant),
        )


def total_pico(lines: Iterable[RatedLine]) -> dict[str, int]:
    """Sum of amounts by currency, 1e-12 of it."""
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.currency] = sums.get(line.currency, 0) + line.pico
    return sums
