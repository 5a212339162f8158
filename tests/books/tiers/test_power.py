"""Power bills by hand: merit order, take-or-pay, demand charge, carbon, months."""

from __future__ import annotations

from decimal import Decimal

import pytest

from neocloud.books.tiers.spans import months_of, share_of_months, share_of_years
from neocloud.units import Period, parse_period, parse_utc

from .cloud import FEBRUARY, TEXT, line, row, tiers


def by_contract(report, site="ashburn"):
    return [p for p in report.power if p.site == site]


def test_two_contracts_in_merit_order_with_take_or_pay_and_demand_charge():
    """150 kWh in one hour and 60 in another; the first contract gives 100 kW."""
    found = tiers(row(0, energy_kwh=150.0), row(1, energy_kwh=60.0))
    first, second = by_contract(found)
    assert (first.drawn_mwh, second.drawn_mwh) == pytest.approx((0.160, 0.050))
    assert first.energy == Decimal("6.40")  # 0.160 MWh at 40
    assert second.energy == Decimal("4.50")  # 0.050 MWh at 90
    # 80 % of 100 kW over 672 hours are 53.76 MWh, of which 0.16 were drawn: 53.6 MWh at 40.
    assert first.obliged_mwh == pytest.approx(53.76)
    assert first.undrawn == Decimal("2144.00")
    # The highest hour drew 50 kW under the second: 10 a kW and month.
    assert (first.peak_kw, second.peak_kw) == pytest.approx((100.0, 50.0))
    assert (first.demand_charge, second.demand_charge) == (0, Decimal(500))
    # 400 g a kWh of 50 kWh are 20 kg at 50 a tonne; the first contract's energy has none.
    assert (first.carbon, second.carbon) == (0, Decimal(1))
    power = found.tiers[0]
    assert {x.name: x.amount for x in power.lines} == {
        "energy": Decimal("8.72"),  # 10.90 / 1.25
        "facility energy": Decimal("2.18"),
        "demand charge": Decimal(500),
        "take-or-pay energy not drawn": Decimal(2144),
        "carbon": Decimal(1),
    }
    assert power.cost == Decimal("2655.90")
    assert found.carbon.market_kg == pytest.approx(20.0)


def test_a_leap_february_obliges_to_a_day_more_and_its_demand_charge_is_a_month():
    leap = parse_period("2028-02")
    when = (parse_utc("2028-02-29T23:00:00Z") - row().hour_utc) // 3_600_000_000_000
    found = tiers(row(when, energy_kwh=150.0), period=leap)
    first, second = by_contract(found)
    assert first.obliged_mwh == pytest.approx(0.8 * 0.1 * 29 * 24)
    assert second.demand_charge == Decimal(500)
    (part,) = months_of(leap)
    assert (part.name, part.share) == ("2028-02", 1)


def test_part_of_a_month_pays_its_part_of_the_demand_charge():
    """The first 14 of 28 days; the second half draws nothing and owes take-or-pay alone."""
    first_half = Period(FEBRUARY.start_ns, parse_utc("2027-02-15"))
    found = tiers(row(0, energy_kwh=150.0), period=first_half)
    assert by_contract(found)[1].demand_charge == Decimal(250)
    rest = tiers(period=Period(parse_utc("2027-02-15"), FEBRUARY.end_ns))
    assert line(rest, "power", "take-or-pay energy not drawn") == Decimal("1075.20")
    assert rest.tiers[0].cost == Decimal("1075.20")


def test_the_mean_of_a_started_hour_counts_as_its_power():
    """15 seconds in which 0.25 kWh were drawn are 60 kW."""
    start = row().hour_utc
    found = tiers(row(0, energy_kwh=0.25), period=Period(start, start + 15 * 10**9))
    assert by_contract(found)[0].peak_kw == pytest.approx(60.0)
    assert by_contract(found)[0].obliged_mwh == pytest.approx(0.08 * 15 / 3600)


def test_two_months_have_a_peak_each():
    march = (parse_utc("2027-03-05T00:00:00Z") - row().hour_utc) // 3_600_000_000_000
    found = tiers(
        row(0, energy_kwh=150.0), row(march, energy_kwh=130.0),
        period=Period(FEBRUARY.start_ns, parse_utc("2027-04-01")),
    )  # fmt: skip
    second = by_contract(found)[1]
    assert second.demand_charge == Decimal(500 + 300)
    assert second.peak_kw == pytest.approx(50.0)


def test_what_no_contract_gives_is_billed_at_the_last_and_told():
    narrow = TEXT.replace("usd_per_mwh: 90,", "usd_per_mwh: 90, capacity_mw: 0.02,")
    found = tiers(row(0, energy_kwh=150.0), text=narrow)
    second = by_contract(found)[1]
    assert second.drawn_mwh == pytest.approx(0.05)
    assert second.beyond_mwh == pytest.approx(0.03)
    assert second.energy == Decimal("4.50")
    assert any("beyond what the contracts give" in note for note in found.notes)


def test_a_contract_gives_and_obliges_only_while_it_runs():
    """The first ends on the 11th: of 28 days it obliges to 10, and then gives nothing."""
    ends = TEXT.replace("take_or_pay: 0.8,", "take_or_pay: 0.8, end: 2027-02-11,")
    found = tiers(row(0, energy_kwh=60.0), text=ends)
    first, second = by_contract(found)
    assert first.obliged_mwh == pytest.approx(0.08 * 240)
    assert (first.drawn_mwh, second.drawn_mwh) == pytest.approx((0.0, 0.06))


def test_solar_power_comes_by_the_sun_of_the_site():
    """Noon at Ashburn is 17 o'clock UTC; at midnight there the sun gives nothing."""
    sunny = TEXT.replace("source: wind, availability: 1,", "source: solar,")
    noon = tiers(row(4, energy_kwh=60.0), text=sunny)
    midnight = tiers(row(16, energy_kwh=60.0), text=sunny)
    assert by_contract(noon)[0].drawn_mwh == pytest.approx(0.06)
    assert by_contract(midnight)[0].drawn_mwh == 0.0


def test_months_and_years_are_those_of_the_calendar_in_utc():
    """No clock change shortens or lengthens a month: March 2027 has 31 days of 24 hours."""
    march = parse_period("2027-03")
    assert march.seconds == 31 * 86_400
    assert share_of_months(march) == 1
    assert share_of_years(march) * 365 == 31
    leap = parse_period("2028-02")
    assert share_of_years(leap) * 366 == 29
    across = Period(parse_utc("2027-12-16T12:00:00Z"), parse_utc("2028-03-01"))
    assert share_of_months(across) == 2 + (31 * 24 - 15 * 24 - 12) / (31 * 24)
    assert [part.name for part in months_of(across)] == ["2027-12", "2028-01", "2028-02"]
