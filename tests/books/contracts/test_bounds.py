"""What take-or-pay comes to over a whole term, whatever is used, evened out and carried over."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st
from tests.books.priced import cloud

from neocloud.books.contracts import (
    ChargeKind,
    MonthOfUse,
    held_in,
    months_between,
    settle,
    terms_of,
)
from neocloud.books.prices import Meter
from neocloud.books.rating import RatedLine
from neocloud.units import HOUR_NS, parse_period

MONTHS = months_between("2027-11", "2028-04")  # a leap year's February is in it
CONTRACT = """\
contracts:
  - {{name: c, tenant: acme, accelerators: 1, price: 1, start: 2027-11-01, term_months: 6,
     take_or_pay: 0.5, true_up_months: {}, carry_over_months: {}}}
"""
hours = st.lists(st.integers(0, 750), min_size=6, max_size=6)


def settled(used: list[int], true_up: int, carry_over: int) -> tuple[list[int], list[int]]:
    """Hours that were committed, and that were paid for, month by month."""
    (terms,) = terms_of(cloud(more=CONTRACT.format(true_up, carry_over)))
    months = [
        MonthOfUse(
            month=month,
            terms=(terms,),
            lines=(
                RatedLine(
                    tenant="acme", meter=Meter.ACCELERATOR_HOUR, month=month, contract="c",
                    since_ns=terms.prices.start_ns, currency="USD", unit_pico=10**12,
                    quantity=each * HOUR_NS, pico=each * 10**12,
                ),
            ) if each else (),
        )
        for month, each in zip(MONTHS, used, strict=True)
    ]  # fmt: skip
    committed, paid = [], []
    for month, each, done in zip(MONTHS, used, settle(months), strict=True):
        period = parse_period(month)
        held = held_in(terms, period.start_ns, period.end_ns)
        committed.append(held // 2 // HOUR_NS)
        assert done.contracts[0].committed == held // 2
        assert all(c.kind in (ChargeKind.SHORTFALL, ChargeKind.CARRIED_OVER) for c in done.charges)
        assert sum(c.pico for c in done.charges) * HOUR_NS == 10**12 * sum(
            c.quantity for c in done.charges
        )
        paid.append(each + sum(c.quantity for c in done.charges) // HOUR_NS)
    return committed, paid


@given(hours)
def test_month_by_month_the_larger_of_both_is_paid(used):
    committed, paid = settled(used, 1, 0)
    assert paid == [max(pair) for pair in zip(committed, used, strict=True)]


@given(hours)
def test_evened_out_over_the_term_the_larger_sum_is_paid(used):
    committed, paid = settled(used, 6, 0)
    assert sum(paid) == max(sum(committed), sum(used))


@given(hours, st.sampled_from([1, 2, 3, 6]), st.integers(0, 7))
def test_never_less_than_what_was_used_or_bound_and_never_more_than_without_agreement(
    used, true_up, carry_over
):
    committed, paid = settled(used, true_up, carry_over)
    assert sum(paid) >= max(sum(committed), sum(used))
    assert sum(paid) <= sum(max(pair) for pair in zip(committed, used, strict=True))
    ends = [n for n in range(6) if (n + 1) % true_up == 0]
    for n in ends:
        so_far = (list(accumulate(each))[n] for each in (paid, committed, used))
        assert next(so_far) >= max(so_far)


@given(hours, st.sampled_from([1, 2, 3, 6]))
def test_what_may_be_used_longer_costs_no_more(used, true_up):
    totals = [sum(settled(used, true_up, months)[1]) for months in range(7)]
    assert totals == sorted(totals, reverse=True)
