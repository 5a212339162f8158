"""From a cloud's file, and how it is used, to what the finance model reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from fractions import Fraction

import msgspec

from neocloud.books.tiers.exact import shared_out, stated
from neocloud.catalog import Catalog
from neocloud.finance.inputs.contracts import contract_of, extensions_of
from neocloud.finance.inputs.costs import asset_costs, pool_costs, stated_costs, traffic_costs
from neocloud.finance.inputs.debt import facilities_of
from neocloud.finance.inputs.energy import Draws, energy_costs
from neocloud.finance.inputs.ground import Ground, ground_of
from neocloud.finance.inputs.growth import Growth
from neocloud.finance.inputs.hired import hired_hours
from neocloud.finance.inputs.hours import (
    free_hours,
    last_resort,
    sold_by_the_hour,
    with_market,
)
from neocloud.finance.inputs.owned import assets_of
from neocloud.finance.inputs.supply import installed_of, power_of
from neocloud.finance.inputs.tokens import tokens_sold
from neocloud.finance.inputs.use import Use
from neocloud.finance.records import Contract, Cost, Flow, Inputs, Merchant, Opening, Policies
from neocloud.spec import Cloud

WITHOUT_DAYS = date(2026, 1, 1)
"""First month where nothing in the file has a day: a whole year follows, whichever it is."""


def inputs_of(cloud: Cloud, catalog: Catalog, use: Use | None = None) -> Inputs:
    """What the finance model reads, exact, by month.

    Pipeline counts with weight 0; `expected` gives it the weight of its probability.

    Args:
        cloud: a checked cloud.
        catalog: the catalog.
        use: a typical day of a plan or of metered rows; without one no token is sold, and all
            accelerators draw `finance.power_load`.
    """
    ground = ground_of(cloud, catalog, WITHOUT_DAYS)
    growth = None if use is None else Growth(ground, use)
    agreed = _contracts(ground)
    left = free_hours(ground, agreed, growth)
    hired = () if growth is None else tuple(hired_hours(ground, growth, agreed, left))
    hours = sold_by_the_hour(ground, left)
    contracts = with_market(ground, _owed_before(ground, last_resort(ground, agreed, hours.left)))
    tokens = () if growth is None else tokens_sold(ground, growth)
    merchant = (*tokens, *hired, *hours.merchant)
    draws = Draws(growth=growth, contracts=contracts, merchant=merchant)
    costs: list[Cost] = [
        *energy_costs(ground, draws),
        *pool_costs(ground),
        *asset_costs(ground),
        *(() if growth is None else traffic_costs(ground, growth)),
        *stated_costs(ground, expected_revenue(contracts, merchant, ground.months.count)),
    ]
    return Inputs(
        name=cloud.name,
        currency=cloud.currency,
        months=ground.months,
        contracts=contracts,
        merchant=merchant,
        installed=installed_of(ground),
        power=power_of(ground),
        costs=tuple(costs),
        assets=assets_of(ground),
        facilities=facilities_of(ground, contracts),
        equity=_equity(ground),
        opening=_opening(ground),
        policies=_policies(ground),
    )


def expected(inputs: Inputs) -> Inputs:
    """The same, each contract of the pipeline counted at its probability."""
    contracts = tuple(
        msgspec.structs.replace(contract, weight=contract.probability)
        for contract in inputs.contracts
    )
    return msgspec.structs.replace(inputs, contracts=contracts)


def expected_revenue(
    contracts: Iterable[Contract], merchant: Iterable[Merchant], count: int
) -> tuple[int, ...]:
    """What signed contracts and merchant business earn by month."""
    lines = [contract.earned for contract in contracts if contract.weight == 1]
    lines += [item.earned for item in merchant]
    return tuple(sum(line[month] for line in lines) for month in range(count))


def _contracts(ground: Ground) -> list[Contract]:
    found: list[Contract] = []
    for agreed in ground.cloud.contracts:
        found.append(contract_of(ground, agreed))
        found += extensions_of(ground, agreed)
    return found


def _owed_before(ground: Ground, contracts: Sequence[Contract]) -> tuple[Contract, ...]:
    """Contracts with what customers paid ahead before the first month, beside their prepayments.

    It is shared out to signed contracts by what they are still to earn, and credited evenly over
    the months that the file says, from when each delivers.
    """
    opening = ground.cloud.finance.opening
    owed = 0 if opening is None else ground.pico(opening.contract_liabilities)
    if opening is None or not owed:
        return tuple(contracts)
    weights = [sum(c.earned) if c.weight == 1 else 0 for c in contracts]
    parts = shared_out(owed, [float(weight) for weight in weights])
    return tuple(
        _with_owed(contract, part, opening.contract_liability_months) if part else contract
        for contract, part in zip(contracts, parts, strict=True)
    )


def _with_owed(contract: Contract, owed: int, months: int) -> Contract:
    count = len(contract.earned)
    before = contract.released or (0,) * count
    first = max(0, contract.first)
    length = max(1, min(months, contract.last - first + 1))
    released, credited = [], 0
    for month, (own, most) in enumerate(zip(before, contract.earned, strict=True)):
        passed = min(max(month - first + 1, 0), length)
        due = round(Fraction(owed * passed, length)) - credited
        now = max(0, min(due, most - own))
        credited += now
        released.append(own + now)
    return msgspec.structs.replace(
        contract,
        received=contract.received or (0,) * count,
        released=tuple(released),
        opening_prepaid=contract.opening_prepaid + owed,
    )


def _equity(ground: Ground) -> tuple[Flow, ...]:
    return tuple(
        Flow(day=paid.day, amount=ground.pico(paid.amount))
        for paid in ground.cloud.finance.equity
        if 0 <= ground.months.index(paid.day) < ground.months.count
    )


def _opening(ground: Ground) -> Opening:
    """The balance of the first day; equity that was paid in before counts as paid in."""
    finance, own = ground.cloud.finance, ground.cloud.finance.opening
    early = sum(
        (Fraction(p.amount) for p in finance.equity if ground.months.index(p.day) < 0), Fraction(0)
    )
    cash = ground.pico(finance.opening_cash)
    if own is None:
        return Opening(cash=cash, paid_in=ground.pico(early))
    return Opening(
        cash=cash,
        receivables=ground.pico(own.receivables),
        payables=ground.pico(own.payables),
        paid_in=ground.pico(Fraction(own.paid_in) + early),
        tax_losses=ground.pico(own.tax_losses),
    )


def _policies(ground: Ground) -> Policies:
    finance = ground.cloud.finance
    start = finance.dividends_from
    return Policies(
        minimum_cash=ground.pico(finance.minimum_cash),
        receivable_days=finance.receivable_days,
        payable_days=finance.payable_days,
        tax_rate=stated(finance.tax_rate),
        loss_use_share=stated(finance.tax_loss_share),
        distribution_share=stated(finance.dividend_share),
        distributions_from=0 if start is None else max(0, ground.months.index(start)),
        discount_rate=stated(finance.cost_of_capital),
    )
