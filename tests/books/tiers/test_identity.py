"""Nothing is lost between the tiers: identities for any activity, and the sums another way."""

from __future__ import annotations

import csv
import io
import random
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from neocloud.activity import Purpose
from neocloud.books.tiers import DIMENSIONS, groups_csv, make_tiers
from neocloud.books.tiers.accelerators import own_costs
from neocloud.books.tiers.account import books_of
from neocloud.books.tiers.cells import usage_of
from neocloud.books.tiers.exact import from_pico, shared_out, to_pico
from neocloud.books.tiers.items import tier_of
from neocloud.books.tiers.spans import Grain
from neocloud.units import HOUR_NS, PICO, Period, format_utc, parse_utc

from .cloud import CATALOG, START_NS, cloud, row

PERIOD = Period(START_NS, START_NS + 30 * HOUR_NS)
PLACES = (("ashburn", "h100-sxm"), ("frankfurt", "leased"))
amounts = st.floats(0, 1e6)
tokens = st.integers(0, 10**12)
rows = st.builds(
    lambda hour, place, model, tenant, purpose, held, kwh, used: row(
        hour, site=place[0], pool=place[1], model=model, tenant=tenant, purpose=purpose,
        allocated_accelerator_s=held, busy_accelerator_s=held / 2, energy_kwh=kwh,
        requests=used[0], input_tokens=used[1] + used[2], cached_tokens=used[2],
        output_tokens=used[3],
    ),
    st.integers(0, 29), st.sampled_from(PLACES), st.sampled_from(["small", "large", ""]),
    st.sampled_from(["", "acme", "rhein"]), st.sampled_from(Purpose), amounts, amounts,
    st.tuples(st.integers(0, 1000), tokens, tokens, tokens),
)  # fmt: skip


def report(listed, by=("site",)):
    return make_tiers(cloud(), CATALOG, listed, usage_of(listed, Grain.HOUR).served, PERIOD, by)


@settings(max_examples=60)
@given(st.lists(rows, max_size=12), st.lists(st.sampled_from(DIMENSIONS), unique=True))
def test_tiers_are_cash_and_non_cash_and_groups_are_tiers(listed, by):
    found = report(listed, by)
    i = found.identity
    assert i.difference == 0
    assert i.power + i.accelerator_hour + i.token == i.cash + i.non_cash
    assert [t.cost for t in found.tiers] == [i.power, i.accelerator_hour, i.token]
    for tier in found.tiers:
        assert sum(line.amount for line in tier.lines) == tier.cost
        assert sum(getattr(g, tier.tier) for g in found.groups) == tier.cost
        assert len({line.name for line in tier.lines}) == len(tier.lines)
    cash = sum(line.cash for tier in found.tiers for line in tier.lines)
    assert cash == i.cash
    last = found.tiers[-1]
    assert sum(g.cost for g in found.groups) == last.cost_so_far
    assert sum(g.revenue for g in found.groups) == last.revenue
    assert sum(g.margin for g in found.groups) == last.margin
    assert sum(g.energy_if_sold for g in found.groups) == found.tiers[0].revenue
    assert sum(g.hours_if_rented for g in found.groups) == found.tiers[1].revenue
    assert last.margin == last.revenue - last.cost_so_far
    assert sum(g.energy_kwh for g in found.groups) == pytest.approx(
        sum(r.energy_kwh for r in listed)
    )
    assert sum(g.tokens for g in found.groups) == sum(
        r.input_tokens + r.output_tokens for r in listed
    )


@settings(max_examples=40)
@given(st.lists(rows, max_size=12), st.sampled_from([("month",), ("day",), ("hour",)]))
def test_how_finely_time_is_told_apart_changes_no_sum(listed, by):
    """What one line has of a tier may be a unit of 1e-12 more or less, for parts are whole."""
    whole, parts = report(listed), report(listed, (*by, "tenant", "use"))
    assert parts.identity == whole.identity
    for one, other in zip(whole.tiers, parts.tiers, strict=True):
        assert (one.cost, one.revenue, one.margin) == (other.cost, other.revenue, other.margin)
        assert sum(getattr(g, one.tier) for g in parts.groups) == one.cost
    names = {getattr(group, by[0]) for group in parts.groups}
    assert {name[: len(min(names))] for name in names} <= {
        format_utc(hour * HOUR_NS + START_NS)[: len(min(names))] for hour in range(30)
    }


@pytest.mark.parametrize("by", ["day", "hour"])
def test_hours_and_energy_of_odd_length_come_to_the_same_however_they_are_grouped(by):
    """Floats that do not add up alike in other groups, in every sum that is made of hours."""
    drawn = random.Random(7)
    listed = [
        row(hour, site=site, pool=pool, tenant=tenant, purpose=purpose,
            allocated_accelerator_s=drawn.random() * 1e6, energy_kwh=drawn.random() * 1e6,
            requests=1, output_tokens=drawn.randrange(10**6))
        for hour in range(30)
        for site, pool in PLACES
        for tenant in ("", "acme", "rhein", "lab")
        for purpose in (Purpose.INFERENCE, Purpose.TRAINING)
    ]  # fmt: skip
    whole, parts = report(listed), report(listed, (by,))
    assert [t.revenue for t in parts.tiers] == [t.revenue for t in whole.tiers]
    assert parts.identity == whole.identity


@settings(max_examples=40)
@given(st.lists(rows, max_size=10), st.integers(-25, 25))
def test_a_period_split_at_the_end_of_a_month_costs_what_its_parts_do(listed, shift):
    """Rows of thirty hours around the end of February; each part rounds its bills by itself."""
    end_ns = parse_utc("2027-03-01")
    moved = [
        # No more is held in an hour than stands there: what was idle then would depend on it.
        structs.replace(
            r,
            hour_utc=r.hour_utc - START_NS + end_ns + (shift - 15) * HOUR_NS,
            allocated_accelerator_s=r.allocated_accelerator_s / 500,
        )
        for r in listed
    ]
    whole = Period(parse_utc("2027-02-25"), parse_utc("2027-03-06"))
    spans = (whole, Period(whole.start_ns, end_ns), Period(end_ns, whole.end_ns))
    both, first, second = (
        make_tiers(
            cloud(), CATALOG, own, usage_of(own, Grain.HOUR).served, span, ("month", "tenant")
        )
        for span in spans
        for own in [[r for r in moved if r.hour_utc in span]]
    )
    # A bill that goes on over the end of the month is rounded once or twice, and either is off by
    # half a unit at most: a whole unit a bill. Power and contracts are settled by the month.
    bills = books_of(cloud(), CATALOG, moved, {}, whole).items
    unit = Decimal("1e-12")
    for tier, one, two in zip(both.tiers, first.tiers, second.tiers, strict=True):
        over = sum(tier_of(b.account).value == tier.tier != "power" for b in bills)
        assert abs(one.cost + two.cost - tier.cost) <= over * unit
        sold = {"power": len(cloud().sites), "accelerator_hour": len(PLACES), "token": 0}
        assert abs(one.revenue + two.revenue - tier.revenue) <= sold[tier.tier] * unit
    parts = {(g.month, g.tenant): g for g in (*first.groups, *second.groups)}
    assert {(g.month, g.tenant) for g in both.groups} == set(parts)
    for group in both.groups:
        part = parts[group.month, group.tenant]
        assert float(group.cost) == pytest.approx(float(part.cost), rel=1e-9, abs=1e-9)
        assert group.tokens == part.tokens


@settings(max_examples=40)
@given(st.lists(rows, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(listed, shuffler: random.Random):
    other = list(listed)
    shuffler.shuffle(other)
    assert report(other).identity.cash == pytest.approx(
        report(listed).identity.cash, rel=Decimal("1e-12"), abs=Decimal("1e-9")
    )
    assert report(other).identity.non_cash == report(listed).identity.non_cash


@settings(max_examples=40)
@given(st.lists(rows, max_size=12))
def test_the_whole_is_the_sum_of_the_bills_by_another_way(listed):
    """Pools from their prices, energy from each hour alone, traffic by the byte."""
    it = cloud()
    whole = sum(
        sum(own_costs(it, CATALOG, site, pool, PERIOD).values())
        for site in it.sites.values()
        for pool in site.pools
    )
    first_drawn, peaks = Fraction(0), [Fraction(0)]
    for hour in range(30):
        for site, price in (("ashburn", None), ("frankfurt", Fraction(100))):
            drawn = sum(
                (Fraction(r.energy_kwh) for r in listed
                 if r.site == site and r.hour_utc == START_NS + hour * HOUR_NS),
                Fraction(0),
            )  # fmt: skip
            if price is not None:
                whole += drawn * price / 1000
                continue
            first = min(drawn, Fraction(100))
            first_drawn += first
            peaks.append(drawn - first)
            whole += first * 40 / 1000 + (drawn - first) * 90 / 1000
            whole += (drawn - first) * 400 / 10**6 * 50
    whole += max(Fraction(0), Fraction(8, 10) * 100 * 30 - first_drawn) * 40 / 1000
    whole += max(peaks) * 10 * Fraction(30, 28 * 24)
    grid = CATALOG.power("frankfurt").carbon_g_per_kwh.value
    drawn = sum(Fraction(r.energy_kwh) for r in listed if r.site == "frankfurt")
    whole += drawn * Fraction(str(grid)) / 10**6 * 50
    moved = {"ashburn": 0, "frankfurt": 0}
    for r in listed:
        moved[r.site] += 4 * r.input_tokens + 250 * r.output_tokens
    whole += Fraction(moved["ashburn"], 10**9) / 100
    whole += Fraction(moved["frankfurt"], 10**9) * Fraction(24, 10_000)
    found = report(listed).tiers[-1].cost_so_far
    assert float(found) == pytest.approx(float(whole), rel=1e-12, abs=1e-9)


@settings(max_examples=40)
@given(st.lists(rows, max_size=12))
def test_each_bill_is_rounded_once_and_the_residue_shown(listed):
    books = books_of(cloud(), CATALOG, listed, {}, PERIOD)
    assert all(abs(item.pico - item.exact * PICO) <= Fraction(1, 2) for item in books.items)
    exact = sum((item.exact for item in books.items), Fraction(0))
    entered = Fraction(sum(entry.pico for entry in books.entries), PICO)
    assert entered - exact == books.residue()
    shown = report(listed).identity.residue
    assert abs(Fraction(shown) - books.residue()) <= Fraction(1, 2 * 10**18)


@given(
    st.integers(-(10**30), 10**30),
    st.lists(st.floats(0, 1e12), min_size=1, max_size=20),
)
def test_what_is_shared_out_is_whole_and_fair(total, weights):
    parts = shared_out(total, weights)
    assert sum(parts) == total
    whole = sum(map(Fraction, weights))
    if not whole:
        assert max(parts) - min(parts) <= 1
        return
    for part, weight in zip(parts, weights, strict=True):
        assert part == 0 if weight == 0 else part * total >= 0
        ideal = Fraction(weight) * total / whole
        assert abs(part - ideal) < 1


@given(st.fractions(min_value=-(10**9), max_value=10**9))
def test_one_rounding_to_the_pico_unit(amount):
    assert abs(Fraction(from_pico(to_pico(amount))) - amount) <= Fraction(1, 2 * PICO)


def test_csv_holds_the_exact_amounts():
    found = report([row(allocated_accelerator_s=3600.0, energy_kwh=1.0)], ("site", "use"))
    lines = list(csv.DictReader(io.StringIO(groups_csv(found))))
    assert [(x["site"], x["use"]) for x in lines] == [(g.site, g.use) for g in found.groups]
    assert sum(Decimal(x["cost"]) for x in lines) == found.tiers[-1].cost_so_far
    assert all("E" not in x["cost"] for x in lines)
