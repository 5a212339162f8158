"""What tiers earned or would have earned, and what they emit, by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from neocloud.books.tiers import Served, billed
from neocloud.books.tiers.cells import Cell
from neocloud.books.tiers.market import season_of
from neocloud.books.tiers.spans import months_after
from neocloud.ledger import Status
from neocloud.units import HOUR_NS, Period, parse_period, parse_utc

from ..metering import event  # noqa: TID252  (one event for all tests of the books)
from .cloud import CATALOG, START_NS, TEXT, TRAINING, cloud, line, row, tiers

HOUR = Period(START_NS, START_NS + HOUR_NS)


def test_tokens_sell_at_the_list_cached_ones_at_theirs():
    """600 at 0.20, 400 at 0.05 and 200 at 0.60 a million."""
    found = tiers(
        row(tenant="acme", requests=1, input_tokens=1000, cached_tokens=400, output_tokens=200),
        period=HOUR,
        text=TEXT.replace("start: 2027-02-11", "start: 2028-02-11"),
    )
    assert found.tiers[-1].revenue == Decimal("0.000260")
    (small, _) = found.models
    assert small.sold == pytest.approx(0.00026 / 1200 * 1e6)
    assert small.market_low < small.market_median < small.market_high


def test_only_what_is_billed_is_sold():
    events = [event(n, status=status) for n, status in enumerate(Status)]
    ((cell, what),) = billed(events, cloud().pricing.billed).items()
    assert cell == Cell("ashburn", "h100-sxm", "llama", "acme", "inference", "2026-10-05T13")
    assert what == Served(requests=2, input_tokens=2000, output_tokens=400)


def test_hours_used_are_worth_the_price_on_demand():
    found = tiers(
        row(allocated_accelerator_s=3600.0),
        row(allocated_accelerator_s=7200.0, site="frankfurt", pool="leased"),
        row(allocated_accelerator_s=7200.0, purpose=TRAINING, model="", tenant="lab"),
        period=HOUR,
    )
    asked = {kind: CATALOG.rental_range(kind).median for kind in ("h100-sxm", "mi300x")}
    assert found.tiers[1].revenue == 3 * asked["h100-sxm"] + 2 * asked["mi300x"]
    assert found.tiers[1].margin == found.tiers[1].revenue - found.tiers[1].cost_so_far


def test_energy_paid_for_is_worth_the_grid_price_of_the_hour():
    """50 kWh drawn at 13 o'clock in winter, and the 30 that take-or-pay owes beside them."""
    found = tiers(row(energy_kwh=50.0), period=HOUR)
    power = CATALOG.power("washington")
    level = power.price_shape.by_season["dec-feb"][13]
    worth = power.price_per_mwh.value * (0.05 * level + 0.03)
    assert float(found.tiers[0].revenue) == pytest.approx(worth)


def test_a_contract_pays_for_what_is_used_but_no_less_than_take_or_pay():
    """8 accelerators for 11 hours of its first day at 2.50, of which at least 60 %."""
    period = Period(parse_utc("2027-02-10T23:00:00Z"), parse_utc("2027-02-11T11:00:00Z"))
    named = 8 * 11
    unused = tiers(period=period)
    assert unused.tiers[-1].revenue == Decimal(named) * Decimal("2.5") * Decimal("0.6")
    for hours, share in ((44, Decimal("0.6")), (66, Decimal("0.75")), (500, Decimal(1))):
        found = tiers(
            row(-3, allocated_accelerator_s=hours * 3600.0, purpose=TRAINING, model="",
                tenant="lab"),
            period=period,
        )  # fmt: skip
        assert found.tiers[-1].revenue == named * Decimal("2.5") * share
        assert {g.tenant: g.revenue for g in found.groups if g.revenue}.keys() == {"lab"}


def test_a_contract_changes_its_price_on_the_day():
    text = TEXT.replace("take_or_pay: 0.6", "price_steps: [{date: 2027-02-12, price: 2}]")
    period = Period(parse_utc("2027-02-11"), parse_utc("2027-02-14"))
    found = tiers(period=period, text=text)
    assert found.tiers[-1].revenue == 8 * 24 * (Decimal("2.5") + 2 * Decimal(2))


def test_a_dedicated_contract_is_paid_by_the_hour_and_not_by_the_token():
    text = TEXT.replace("name: training, tenant: lab,", "name: own, tenant: acme, model: small, "
                        "kind: dedicated,")  # fmt: skip
    found = tiers(
        row(tenant="acme", requests=1, input_tokens=10**9, output_tokens=1),
        row(tenant="rhein", requests=1, input_tokens=10**6, output_tokens=0),
        period=HOUR,
        text=text,
    )
    # Rhein's million tokens at 0.20; eight hours of acme's at 2.50, of which 60 % are owed.
    assert found.tiers[-1].revenue == Decimal("0.20") + 8 * Decimal("2.5") * Decimal("0.6")


def test_emissions_by_place_and_by_contract():
    """Of 150 kWh the first contract's 100 are wind without carbon, 50 have 400 g."""
    found = tiers(row(energy_kwh=150.0, input_tokens=2_000_000, output_tokens=1), period=HOUR)
    power = CATALOG.power("washington")
    here = power.carbon_g_per_kwh.value * power.carbon_shape.by_season["dec-feb"][13]
    assert found.carbon.market_kg == pytest.approx(20.0)
    assert found.carbon.location_kg == pytest.approx(150 * here / 1e3)
    assert found.carbon.market_g_per_mtok == pytest.approx(20_000 / 2.000001)
    assert found.models[0].carbon_g_location == pytest.approx(150 * here / 2.000001)


def test_what_is_made_at_the_site_emits_there_by_either_count():
    text = TEXT.replace("kind: ppa, source: wind,", "kind: stranded_gas,").replace(
        "carbon_g_per_kwh: 0}", "carbon_g_per_kwh: 500}"
    )
    found = tiers(row(energy_kwh=100.0), period=HOUR, text=text)
    assert found.carbon.location_kg == found.carbon.market_kg == pytest.approx(50.0)


def test_traffic_by_the_byte():
    """4 bytes a prompt's token and 250 an answer's, at 0.01 a gigabyte."""
    found = tiers(row(tenant="acme", input_tokens=10**9, output_tokens=10**8), period=HOUR)
    assert line(found, "token", "traffic") == (4 + 25) * Decimal("0.01")


def test_tokens_of_others_cost_what_they_ask():
    text = TEXT + (
        "gateway: {remotes: {far: {url: 'https://far.example/v1', model: small, "
        "price_per_mtok: {input: 1, output: 3}}}}\n"
    )
    asked = row(site="remote", pool="far", tenant="acme", requests=1, input_tokens=10**6,
                output_tokens=10**6)  # fmt: skip
    found = tiers(asked, period=HOUR, text=text)
    assert line(found, "token", "bought tokens") == 4
    assert found.identity.difference == 0
    unknown = tiers(asked, period=HOUR)
    assert line(unknown, "token", "bought tokens") == 0
    assert any("remote far" in note for note in unknown.notes)


def test_a_market_that_is_not_known_is_told_and_not_guessed():
    """The catalog has no price of power at Tokyo."""
    text = TEXT.replace("metro: frankfurt", "metro: tokyo")
    found = tiers(row(energy_kwh=1.0), period=HOUR, text=text)
    assert (found.tiers[0].revenue, found.tiers[0].margin) == (None, None)
    assert any("frankfurt: the catalog knows no price" in note for note in found.notes)
    assert found.tiers[1].revenue is not None


def test_goodput_is_of_all_requests():
    found = tiers(
        row(tenant="acme", requests=8, within_objective=6),
        row(tenant="rhein", site="", pool="", requests=2),
        period=HOUR,
    )
    assert found.utilisation.goodput == 0.6


@pytest.mark.parametrize(
    ("month", "season"),
    [
        (1, "dec-feb"),
        (2, "dec-feb"),
        (3, "mar-may"),
        (8, "jun-aug"),
        (9, "sep-nov"),
        (12, "dec-feb"),
    ],
)
def test_seasons_are_the_catalogs(month, season):
    assert season_of(parse_period(f"2027-{month:02}").start_ns) == season


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2027, 8, 31), 6, date(2028, 2, 29)),
        (date(2027, 1, 31), 13, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2027, 12, 1), 1, date(2028, 1, 1)),
    ],
)
def test_months_later_end_with_the_month(day, months, then):
    assert months_after(day, months) == then


def test_prices_in_another_currency_are_exchanged():
    """80 EUR a MWh are 100 USD."""
    found = tiers(row(energy_kwh=10.0, site="frankfurt", pool="leased"), period=HOUR)
    (line_,) = [p for p in found.power if p.site == "frankfurt"]
    assert (line_.price_per_mwh, line_.energy) == (Decimal(100), Decimal(1))
    assert Fraction(cloud().rate("EUR")) == Fraction(5, 4)
