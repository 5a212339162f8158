"""Terms of billing beside the price: service levels of contracts, credits that are paid ahead."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Choice, Day, Money, Name, Number, Whole
from neocloud.spec.power import SHARE
from neocloud.spec.structures import ListOf, Section

_AMOUNT: Final = 10**13


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelStep:
    """What is given back where a service level was missed."""

    below: Decimal = required(
        Money(above=0, maximum=1, remedy=SHARE), "Share below which it is given: 0.999."
    )
    credit_share: Decimal = required(
        Money(above=0, maximum=1, remedy=SHARE), "Share of the contract's charges of the month "
        "that is given back."
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """What a contract promises, month by month, and what is given back where it is missed."""

    availability: tuple[LevelStep, ...] = optional(
        ListOf(Section(LevelStep), unique=False), "Steps for the share of requests that were "
        "answered, of a `dedicated` or `provisioned` contract; for the share of the reserved "
        "accelerator-hours that were delivered, of the others. The deepest that was missed counts.",
        default=(), shown="no promise", origin="no promise unless agreed",
    )  # fmt: skip
    ttft_ms: float | None = optional(
        Number(above=0, maximum=3_600_000), "Time to the first token at the gateway that "
        "`latency` counts.", "ms", default=None, shown="not counted",
        origin="no promise unless agreed",
    )  # fmt: skip
    tpot_ms: float | None = optional(
        Number(above=0, maximum=60_000), "Time per output token after the first that `latency` "
        "counts.", "ms", default=None, shown="not counted", origin="no promise unless agreed",
    )  # fmt: skip
    latency: tuple[LevelStep, ...] = optional(
        ListOf(Section(LevelStep), unique=False), "Steps for the share of answers that kept "
        "`ttft_ms` and `tpot_ms`.", default=(), shown="no promise",
        origin="no promise unless agreed",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaidCredit:
    """Credit of a tenant, from which its invoices are taken first."""

    key: str = required(Name(), "Name of the credit, unique for the tenant.", name="name")
    amount: Decimal = required(
        Money(above=0, maximum=_AMOUNT), "How much, in the tenant's currency.", "currency"
    )
    day: date = required(Day(), "First day of use that it pays for.", name="date")
    expires: date | None = optional(
        Day(), "First day of use that it no longer pays for.", default=None, shown="never",
        origin="it stays unless agreed",
    )  # fmt: skip
    priority: int = optional(
        Whole(0, 1000), "Lower ones are used first; then those that expire first.", default=100,
        origin="assumption: all alike",
    )  # fmt: skip
    kind: str = optional(
        Choice(("paid", "given")), "`paid`: the tenant paid for it; `given`: it did not.",
        default="paid", origin="the usual case",
    )  # fmt: skip


__all__ = ["LevelStep", "PrepaidCredit", "ServiceLevel"]
