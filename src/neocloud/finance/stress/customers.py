"""What a customer can do: leave, take less, come later; and how much of the hours is in use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import msgspec

from neocloud.finance.records import ByMonth, Contract, Inputs
from neocloud.finance.shocks import NONE, Shocks

LOSS_AFTER = 12
"""Months until the largest customer leaves (assumption: a year from now, when the model has it)."""
GAP = 6
"""Months until what was left behind is let again (assumption)."""
LET_AGAIN = Fraction(4, 5)
"""Share of it that is then let again (assumption: some stays empty in a market that has turned)."""


def largest_customer(inputs: Inputs) -> str | None:
    """The customer with the largest remaining value in contracts; None without contracts."""
    values: defaultdict[str, Fraction] = defaultdict(Fraction)
    for contract in inputs.contracts:
        values[contract.customer] += contract.weight * sum(contract.earned)
    if not values or not max(values.values()):
        return None
    return max(sorted(values), key=lambda customer: values[customer])


def contracts_of(inputs: Inputs, customer: str | None) -> list[Contract]:
    """A customer's contracts."""
    return [contract for contract in inputs.contracts if contract.customer == customer]


def without_market(inputs: Inputs) -> tuple[str, ...]:
    """Contracts for accelerators, signed or counted, for which no market price is known."""
    return tuple(
        contract.key
        for contract in inputs.contracts
        if contract.weight and any(contract.hours) and not any(contract.market_price)
    )


def loss_month(inputs: Inputs) -> int:
    """Month of the loss: after `LOSS_AFTER` months, half-way through a shorter model."""
    return min(LOSS_AFTER, inputs.months.count // 2)


def lost(
    inputs: Inputs, share: Any, *, fee: Fraction | int = 0, gap: int = GAP, again: Any = LET_AGAIN
) -> Shocks:
    """A share of the largest customer's contracts ends for good at `loss_month`.

    Args:
        inputs: the base case.
        share: what ends; a number, or an array of shape (paths,).
        fee: share of the termination fee that is really paid.
        gap: months until it is let again.
        again: share of it that is let again.
    """
    customer = largest_customer(inputs)
    if customer is None:
        return NONE
    count = inputs.months.count
    month = loss_month(inputs)
    left = 1 - share
    alive = tuple(left if m >= month else share * 0 + 1 for m in range(count))
    relet = tuple(again if m >= month + gap else again * 0 for m in range(count))
    keys = [contract.key for contract in contracts_of(inputs, customer)]
    return Shocks(
        alive=dict.fromkeys(keys, alive), relet=dict.fromkeys(keys, relet), fee_collected=fee
    )


def delayed(inputs: Inputs, months: int) -> Inputs:
    """The largest customer's contracts begin and end some months later; what stands waits."""
    customer = largest_customer(inputs)
    contracts = tuple(
        _later(contract, months) if contract.customer == customer else contract
        for contract in inputs.contracts
    )
    return msgspec.structs.replace(inputs, contracts=contracts)


def _later(contract: Contract, months: int) -> Contract:
    def moved(line: ByMonth) -> ByMonth:
        return ((0,) * min(months, len(line)) + line)[: len(line)]

    hours = contract.hours
    return msgspec.structs.replace(
        contract,
        first=contract.first + months,
        last=contract.last + months,
        earned=moved(contract.earned),
        committed=moved(contract.committed),
        received=moved(contract.received),
        released=moved(contract.released),
        accelerators=moved(contract.accelerators),
        hours=((Fraction(0),) * min(months, len(hours)) + hours)[: len(hours)],
    )


def base_use(inputs: Inputs) -> tuple[Fraction, ...]:
    """Share of the hours for sale that the base case uses, by month; 1 where nothing is known."""
    sellable = _summed([item.sellable for item in inputs.installed], inputs.months.count)
    lines = [[contract.weight * hour for hour in contract.hours] for contract in inputs.contracts]
    lines += [list(item.hours) for item in inputs.merchant]
    used = _summed(lines, inputs.months.count)
    return tuple(
        min(over / under, Fraction(1)) if over and under else Fraction(1)
        for over, under in zip(used, sellable, strict=True)
    )


def _summed(lines: Sequence[Sequence[Fraction]], count: int) -> list[Fraction]:
    return [sum((line[m] for line in lines if line), Fraction(0)) for m in range(count)]
