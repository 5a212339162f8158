"""What contracts charge: their terms as of a month, and charges that no single event causes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from neocloud.books.prices import ContractTerms, Meter, TokenBill
from neocloud.books.rating import amount_of


class TermsPrepayment(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant pays before delivery, 1e-12 of the contract's currency."""

    day: date
    pico: int


class TermsStep(msgspec.Struct, frozen=True, kw_only=True):
    """The share of a month's charges that is given back where a level was below `below`."""

    below: Decimal
    credit_share: Decimal


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """A signed contract as it stands in the file, in whole numbers.

    An invoice keeps the terms that it was made with: what is changed in the file later changes
    nothing about a month that was closed.

    Attributes:
        prices: what it says of prices, by which its tenant's use is rated.
        accelerators: how many it holds; 0 for `provisioned`.
        tokens_per_s: rate that it holds; 0 for all but `provisioned`.
        take_or_pay: share that is paid whether used or not.
        true_up_months: months over which more and less even out.
        carry_over_months: months in which a paid shortfall may still be used.
        prepayments: what is paid ahead.
        availability: what is given back where requests were not answered, or hours not delivered.
        latency: what is given back where answers were slow.
        ttft_ms: that an answer must keep to count as fast; 0 for not counted.
        tpot_ms: likewise.
    """

    prices: ContractTerms
    accelerators: int = 0
    tokens_per_s: Decimal = Decimal(0)
    take_or_pay: Decimal = Decimal(1)
    true_up_months: int = 1
    carry_over_months: int = 0
    prepayments: tuple[TermsPrepayment, ...] = ()
    availability: tuple[TermsStep, ...] = ()
    latency: tuple[TermsStep, ...] = ()
    ttft_ms: Decimal = Decimal(0)
    tpot_ms: Decimal = Decimal(0)

    @property
    def name(self) -> str:
        """Name of the contract."""
        return self.prices.name

    @property
    def counts_tokens(self) -> bool:
        """True if it sells tokens, False if it sells accelerator-hours."""
        return self.prices.bill is TokenBill.RATE

    def is_counted(self, meter: Meter) -> bool:
        """True of a meter that the contract's quantities are counted by."""
        return meter.is_tokens == self.counts_tokens

    def amount(self, quantity: int, unit_pico: int) -> int:
        """What a quantity costs at a price of the contract, 1e-12 of its currency."""
        meter = Meter.OUTPUT if self.counts_tokens else Meter.ACCELERATOR_HOUR
        return amount_of(meter, quantity, unit_pico)

    def runs_at(self, time_ns: int) -> bool:
        """True within the term."""
        return self.prices.start_ns <= time_ns < self.prices.end_ns

    def may_be(self, accelerator: str, site: str) -> bool:
        """True if it may be delivered with such an accelerator at a site."""
        wanted, sites = self.prices.accelerator, self.prices.sites
        return wanted in ("", accelerator) and (not sites or site in sites)


class ChargeKind(StrEnum):
    """Why money is charged that no single event causes."""

    SHORTFALL = "shortfall"
    """Paid and not used."""
    CARRIED_OVER = "carried_over"
    """Used now, paid as a shortfall of an earlier month: negative."""
    LAST_RESORT = "last_resort"
    """Accelerators of a tranche that nobody else bought."""
    SERVICE_CREDIT = "service_credit"
    """Given back for a level that was missed: negative."""
    MINIMUM = "minimum"
    """What is missing from a minimum spend."""
    PREPAYMENT = "prepayment"
    """Paid before delivery."""
    RELEASE = "release"
    """A prepayment's part that pays for this month: negative."""


class Charge(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A charge of a tenant and month. Charges of the same `key` add up.

    Attributes:
        kind: why.
        contract: name of the contract; empty for a minimum spend.
        month: UTC month that it belongs to: `2026-10`.
        since_ns: from when its price holds, as in a `RatedLine`.
        currency: of the amount.
        unit_pico: price of a token or accelerator-hour; 0 where the amount has none.
        tokens: True where the quantity is tokens, False where accelerator-nanoseconds.
        quantity: how much; negative for what was carried over.
        pico: amount in 1e-12 of the currency.
    """

    kind: ChargeKind
    contract: str = ""
    month: str
    since_ns: int = 0
    currency: str
    unit_pico: int = 0
    tokens: bool = False
    quantity: int = 0
    pico: int

    @property
    def key(self) -> tuple[object, ...]:
        """All but quantity and amount."""
        return msgspec.structs.astuple(self)[:-2]


class ContractMonth(msgspec.Struct, frozen=True, kw_only=True):
    """How a contract stands in a month; quantities are tokens or accelerator-nanoseconds.

    Attributes:
        contract: its name.
        month: UTC month.
        tokens: True where quantities are tokens.
        held: what the contract holds for the tenant, take-or-pay or not.
        committed: of it, paid whether used or not.
        used: under the contract.
        shortfall: charged in this month.
        carried_in: paid earlier and still to be used, at the month's beginning.
        carried_used: of it, used in this month.
        carried_out: to be used in later months.
        availability: share that was measured; None where nothing was promised or measured.
        latency: share of answers that were fast enough; likewise.
    """

    contract: str
    month: str
    tokens: bool
    held: int
    committed: int
    used: int
    shortfall: int
    carried_in: int
    carried_used: int
    carried_out: int
    availability: Decimal | None = None
    latency: Decimal | None = None


class ServiceCount(msgspec.Struct, frozen=True, kw_only=True):
    """What a contract's promises are measured by.

    Attributes:
        asked: requests, or reserved accelerator-nanoseconds.
        answered: of them, answered; or delivered.
        timed: answers whose times count.
        in_time: of them, those that kept the promised times.
    """

    asked: int = 0
    answered: int = 0
    timed: int = 0
    in_time: int = 0
