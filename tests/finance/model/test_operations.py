"""Contracts, prepayments, working capital, assets, tax: worked by hand."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from neocloud.finance.arithmetic import Exact
from neocloud.finance.model import run
from neocloud.finance.records import (
    Asset,
    Cost,
    Flow,
    Leaving,
    Merchant,
    Opening,
    Policies,
)
from neocloud.finance.shocks import Shocks

from .cases import company, money, sale


def months(*pairs: tuple[int, int | str], count: int = 12) -> tuple[int, ...]:
    """Money in some months: (month, units)."""
    line = [0] * count
    for month, units in pairs:
        line[month] += money(units)
    return tuple(line)


def steady(number: Fraction | int, count: int = 12) -> tuple[Fraction, ...]:
    return (Fraction(number),) * count


def test_a_prepayment_is_a_liability_until_it_is_delivered() -> None:
    """240 received in January for twelve months of 100: each invoice is 80, revenue stays 100."""
    contract = sale(12, money(100), received=months((0, 240)), released=(money(20),) * 12)
    outcome = run(company(12, contracts=(contract,)), Exact())
    assert outcome.income.revenue == (money(100),) * 12
    assert outcome.cash.receipts == (money(80),) * 12
    assert outcome.balance.contract_liabilities == tuple(money(220 - 20 * n) for n in range(12))
    assert outcome.cfads.received[0] == money(320)
    assert outcome.cfads.credited == (money(80),) * 12
    assert outcome.cfads.ignored == (money(100),) * 12


def test_the_use_of_less_falls_to_what_is_committed() -> None:
    """Of 100 at full use 90 are committed: at 95 % 95 are earned, at half 90."""
    contract = sale(12, money(100), committed=(money(90),) * 12)
    inputs = company(12, contracts=(contract,))
    for used, earned in ((Fraction(95, 100), 95), (Fraction(1, 2), 90)):
        outcome = run(inputs, Exact(), Shocks(utilisation=steady(used)))
        assert outcome.income.contracted == (money(earned),) * 12
    half = run(inputs, Exact(), Shocks(delivered=steady(Fraction(1, 2))))
    assert half.income.contracted == (money(50),) * 12


def test_the_latest_asset_moves_a_contract_with_its_prepayment() -> None:
    """The term is six months from February; networks come two months late, so it is from April."""
    assets = tuple(
        Asset(key=key, kind=kind, in_service=1, life_months=10, opening_cost=money(cost))
        for key, kind, cost in (("gpu", "accelerators", 500), ("net", "networking", 100))
    )
    contract = sale(
        12,
        0,
        first=1,
        last=6,
        earned=months(*((month, 100) for month in range(1, 7))),
        committed=(0,) * 12,
        received=months((0, 60)),
        released=months(*((month, 10) for month in range(1, 7))),
        requires=("gpu", "net"),
    )
    inputs = company(12, contracts=(contract,), assets=assets)
    outcome = run(inputs, Exact(), Shocks(delay={"net": 2}))
    assert outcome.income.revenue == months(*((month, 100) for month in range(3, 9)))
    assert outcome.cash.prepayments == months((2, 60))
    assert outcome.contracts[0].shift == 2
    # What does not wait is depreciated all the same, from February; the networks from April.
    assert outcome.income.depreciation[:4] == (0, money(50), money(50), money(60))
    assert outcome.balance.construction[:4] == (money(600), money(100), money(100), 0)


def test_a_customer_that_leaves_pays_and_forfeits() -> None:
    """From July it is gone: six months of 100 remain, the fee is half, 300, and of the prepayment
    of 120 there are 60 left, which it forfeits and which count against the fee.
    """
    contract = sale(
        12,
        money(100),
        received=months((0, 120)),
        released=(money(10),) * 12,
        leaving=Leaving(earliest=0, notice_months=0, fee_share=Fraction(1, 2)),
        accelerator="h100",
        hours=(Fraction(50),) * 12,
        market_price=(money(1),) * 12,
    )
    inputs = company(12, contracts=(contract,))
    alive = (Fraction(1),) * 6 + (Fraction(0),) * 6
    again = (Fraction(0),) * 8 + (Fraction(4, 5),) * 4
    shock = Shocks(alive={"sale": alive}, relet={"sale": again}, rental=steady(Fraction(1, 2)))
    outcome = run(inputs, Exact(), shock)
    assert outcome.income.termination == months((6, 300))
    assert outcome.cash.receipts[6] == money(240)
    assert outcome.balance.contract_liabilities[6:] == (0,) * 6
    # Two months later 80 % of 50 hours are let again, at half of 1.00.
    assert outcome.income.relet == months(*((month, 20) for month in range(8, 12)))
    unpaid = run(inputs, Exact(), Shocks(alive={"sale": alive}, fee_collected=0))
    assert unpaid.income.termination == months((6, 60))
    assert unpaid.cash.receipts[6] == 0


def test_invoices_of_the_last_days_are_outstanding() -> None:
    """45 days: at the end of January all 31 and 14 of the opening 90 (14/45 of it: 28);
    at the end of February all of its 28 days and 17 of January's 31.
    """
    contract = sale(12, 0, earned=(money(310), money(280), *(0,) * 10), committed=(0,) * 12)
    inputs = company(
        12,
        contracts=(contract,),
        opening=Opening(receivables=money(90)),
        policies=Policies(receivable_days=45),
    )
    outcome = run(inputs, Exact())
    assert outcome.balance.receivables[:3] == (money(310 + 28), money(280 + 170), money(140))
    assert outcome.cash.receipts[:3] == (money(62), money(310 + 28 + 280 - 450), money(310))
    assert sum(outcome.cash.receipts) == money(90 + 310 + 280)


def test_suppliers_are_paid_later() -> None:
    """15 of January's 31 days are owed at its end, 15 of February's 28."""
    cost = Cost(key="k", kind="staff", fixed=(money(31), money(28), *(0,) * 10))
    inputs = company(12, costs=(cost,), policies=Policies(payable_days=15))
    outcome = run(inputs, Exact())
    assert outcome.balance.payables[:3] == (money(15), money(15), 0)
    assert outcome.cash.payments[:3] == (money(-16), money(-28), money(-15))


def test_power_costs_more_and_use_costs_less() -> None:
    """Power is 10 whatever is used and 20 with use: doubled, at half the use, 20 and 20."""
    power = Cost(key="p", kind="power", fixed=(money(10),) * 12, variable=(money(20),) * 12)
    staff = Cost(key="s", kind="staff", fixed=(money(5),) * 12)
    inputs = company(12, costs=(power, staff))
    shock = Shocks(power=steady(2), utilisation=steady(Fraction(1, 2)))
    outcome = run(inputs, Exact(), shock)
    assert outcome.income.costs["power"] == (money(40),) * 12
    assert outcome.income.operating_cost == (money(45),) * 12


def test_prices_of_tokens_and_hours_move_apart() -> None:
    lines = (
        Merchant(key="t", source="tokens", earned=(money(10),) * 12),
        Merchant(key="h", source="hours", earned=(money(20),) * 12),
    )
    outcome = run(
        company(12, merchant=lines), Exact(), Shocks(token=steady(Fraction(1, 2)), rental=steady(2))
    )
    assert outcome.income.tokens == (money(5),) * 12
    assert outcome.income.hours == (money(40),) * 12


def machine(**parts: object) -> Asset:
    """1000 paid in January, in service in March, six months of life, a tenth is left."""
    given: dict[str, object] = {
        "key": "gpu",
        "kind": "accelerators",
        "in_service": 2,
        "life_months": 6,
        "residual_share": Fraction(1, 10),
        "payments": (Flow(day=date(2026, 1, 20), amount=money(1000)),),
    }
    return Asset(**given | parts)


def test_depreciation_runs_from_service_and_the_rest_is_sold() -> None:
    """(1000 - 100) / 6 = 150 a month from March to August; sold in September at 100."""
    outcome = run(company(12, assets=(machine(),)), Exact())
    assert outcome.income.depreciation == months(*((month, 150) for month in range(2, 8)))
    assert outcome.cash.disposals == months((8, 100))
    assert outcome.income.disposal == (0,) * 12
    assert outcome.assets[0].book[7:9] == (money(100), 0)
    assert outcome.balance.construction[:3] == (money(1000), money(1000), 0)


def test_a_worse_market_a_shorter_life_and_a_dearer_machine() -> None:
    """1300 cost, half the life: (1300 - 130) / 3 = 390 from March to May; sold in June at 65."""
    shock = Shocks(
        component={"accelerators": steady(Fraction(13, 10))},
        life=Fraction(1, 2),
        residual={"accelerators": Fraction(1, 2)},
    )
    outcome = run(company(12, assets=(machine(),)), Exact(), shock)
    assert outcome.income.depreciation == months((2, 390), (3, 390), (4, 390))
    assert outcome.cash.disposals == months((5, 65))
    assert outcome.income.disposal == months((5, -65))


def test_what_stands_goes_on_wearing_off_and_no_delay_moves_it() -> None:
    """Of 1000, 300 are worn off in two of six months; (700 - 100) / 4 = 150 are left a month."""
    asset = machine(
        in_service=-2,
        payments=(),
        opening_cost=money(1000),
        opening_depreciation=money(300),
        standing=True,
    )
    outcome = run(company(12, assets=(asset,)), Exact(), Shocks(delay={"gpu": 5}))
    assert outcome.income.depreciation == months(*((month, 150) for month in range(4)))
    assert outcome.cash.disposals == months((4, 100))


def test_tax_is_on_the_year_after_losses_carried_forward() -> None:
    """2026 loses 600, with 200 before; in 2027 100 a month come, of which the losses, 800, cover
    the first eight months; 20 % of the other 400 are 80, paid at the ends of September and the year.
    """  # noqa: E501
    earned = tuple(money(0 if month < 12 else 100) for month in range(24))
    cost = Cost(key="k", kind="staff", fixed=tuple(money(50) * (month < 12) for month in range(24)))
    inputs = company(
        24,
        contracts=(sale(24, 0, earned=earned, committed=earned),),
        costs=(cost,),
        opening=Opening(cash=money(1000), tax_losses=money(200)),
        policies=Policies(tax_rate=Fraction(1, 5)),
    )
    outcome = run(inputs, Exact())
    assert outcome.income.tax == months(*((month, 20) for month in range(20, 24)), count=24)
    assert outcome.cash.tax == months((20, -20), (23, -60), count=24)
    # Where losses may cover 80 % of a year's profit, 20 % of it are taxed from the first month on.
    some = Policies(tax_rate=Fraction(1, 5), loss_use_share=Fraction(4, 5))
    from msgspec.structs import replace

    taxed = run(replace(inputs, policies=some), Exact()).income.tax
    assert taxed[12] == money(4)
    assert sum(taxed) == money(80)


def test_a_loss_late_in_the_year_takes_tax_back() -> None:
    """100 in March taxed with 20; a loss of 60 in April leaves 8 for the year."""
    cost = Cost(key="k", kind="staff", fixed=months((3, 60)))
    earned = months((2, 100))
    inputs = company(
        12,
        contracts=(sale(12, 0, earned=earned, committed=earned),),
        costs=(cost,),
        policies=Policies(tax_rate=Fraction(1, 5)),
    )
    outcome = run(inputs, Exact())
    assert outcome.income.tax[2:4] == (money(20), money(-12))
    assert outcome.cash.tax == months((2, -20), (5, 12))


def test_common_costs_and_cash_behind_a_facility_go_by_revenue() -> None:
    """A earns 300 and B 100; of 80 in common A bears 60, and its own 30 alone: 210 stay."""
    from .cases import loan

    contracts = (sale(12, money(300), key="a"), sale(12, money(100), key="b"))
    costs = (
        Cost(key="common", kind="staff", fixed=(money(80),) * 12),
        Cost(key="own", kind="power", fixed=(money(30),) * 12, contracts=("a",)),
        Cost(key="both", kind="power", fixed=(money(4),) * 12, contracts=("a", "b")),
    )
    facilities = (loan(key="x", contracts=("a",)), loan(key="y"))
    outcome = run(company(12, contracts=contracts, costs=costs, facilities=facilities), Exact())
    assert outcome.facilities[0].cfads.credited == (money(300 - 60 - 30 - 3),) * 12
    assert outcome.facilities[1].cfads.credited == (money(400 - 80 - 30 - 4),) * 12
    # The company's cash carries both loans, the contract's its own.
    service = outcome.facilities[0].service[0]
    assert outcome.facilities[0].service_before[0] == service
    assert outcome.facilities[1].service_before[0] == 2 * service


def test_payment_after_service_is_refused() -> None:
    asset = machine(payments=(Flow(day=date(2026, 4, 1), amount=1),))
    with pytest.raises(ValueError, match="after it is in service"):
        run(company(12, assets=(asset,)), Exact())
