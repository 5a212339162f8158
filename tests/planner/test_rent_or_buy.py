"""Rent or buy: what is rented is cheaper or needed, within its limits, and told with its source."""

from __future__ import annotations

import math

import pytest

from neocloud.catalog import Catalog
from neocloud.gateway.tenants.rules import rules_of_cloud
from neocloud.planner import (
    InfeasibleError,
    Plan,
    assemble,
    explain_model,
    ground_of,
    make_plan,
    placed_on,
)

from .clouds import CATALOG, TWO_SITES, at_site, changed, read
from .test_rented import Priced, offer

CHEAP, DEAR = offer("1"), offer("3.29")
MANY = changed(TWO_SITES, ("requests_per_s: 40", "requests_per_s: 600"))
"""More than the sixteen accelerators of both sites take."""


def text_with(rental: str = "", text: str = TWO_SITES) -> str:
    more = f", {rental}" if rental else ""
    return f"{text}rental: {{providers: [lambda, aws]{more}}}\n"


def plan_with(rental: str, *offers, text: str = TWO_SITES) -> Plan:
    return make_plan(read(text_with(rental, text)), Priced(*offers))


def rented(plan: Plan) -> int:
    """Accelerators of others."""
    return sum(p.accelerators for p in plan.placements if p.provider)


def test_what_is_dearer_than_ones_own_is_not_rented():
    own, plan = make_plan(read(TWO_SITES), CATALOG), plan_with("", DEAR)
    assert plan.rented == ()
    assert rented(plan) == 0
    assert plan.cost_per_hour.total == pytest.approx(own.cost_per_hour.total, rel=1e-4)


def test_what_is_cheaper_is_rented():
    """All but the tenant who must stay, at the price of the list and nothing else but traffic."""
    own, plan = make_plan(read(TWO_SITES), CATALOG), plan_with("", CHEAP)
    assert plan.cost_per_hour.total < own.cost_per_hour.total
    theirs = [p for p in plan.placements if p.provider]
    assert {f.tenant for f in plan.flows if any(f.placed_on(p) for p in theirs)} == {"acme"}
    for p in theirs:
        assert p.provider == "lambda"
        assert p.pue == 1.0
        assert p.cost_per_hour.power == 0.0
        assert p.cost_per_hour.operations == 0.0
        assert p.cost_per_hour.capital == pytest.approx(p.accelerators * 1.0)
        gigabytes = (1000 * 4 + 200 * 250) / 1e9
        sent = sum(p.requests_per_s_by_hour) / 24
        assert p.cost_per_hour.network == pytest.approx(sent * 3600 * gigabytes * 0.0024)


def test_traffic_from_there_has_its_own_price():
    plan = plan_with("network_usd_per_gb: 0.09", CHEAP)
    (p,) = [p for p in plan.placements if p.provider]
    assert p.rates.network_per_gb == 0.09
    assert p.cost_per_hour.network == pytest.approx(
        sum(p.requests_per_s_by_hour) / 24 * 3600 * p.rates.network_per_request
    )


def test_the_price_of_energy_is_no_matter_to_what_is_rented():
    def with_power(usd: int) -> Plan:
        text = at_site("ashburn", "usd_per_mwh: 80", f"usd_per_mwh: {usd}", TWO_SITES)
        return plan_with("", CHEAP, text=text)

    assert with_power(0).cost_per_hour == with_power(5000).cost_per_hour


def test_where_ones_own_do_not_suffice_the_rest_is_rented_at_any_price():
    with pytest.raises(InfeasibleError):
        make_plan(read(MANY), CATALOG)
    plan = plan_with("", DEAR, text=MANY)
    each = plan.placements[0].max_requests_per_s
    assert {p.max_requests_per_s for p in plan.placements} == {each}
    own = sum(p.accelerators for p in plan.placements if not p.provider)
    assert own == 16
    assert rented(plan) == math.ceil(625 / each) - 16


def test_the_plan_says_of_whom_at_what_price_and_of_what_date():
    plan = plan_with("", CHEAP)
    (place,) = plan.rented
    assert (place.provider, place.tier, place.term_months) == ("lambda", "on-demand", 0)
    assert place.price_per_accelerator_hour == 1.0
    assert (place.date, place.source) == ("2026-06-15", "gpu-pricing-pages")
    (p,) = [p for p in plan.placements if p.provider]
    assert (place.site, place.pool) == (p.site, p.pool)
    assert place.site == f"lambda-{place.metro}"
    assert all(u.site != place.site for u in plan.unallocated)


@pytest.mark.parametrize(("most", "taken"), [("0.99", False), ("1", True)])
def test_a_price_above_the_limit_is_not_paid(most: str, taken: bool):
    plan = plan_with(f"max_price_per_accelerator_hour: {most}", CHEAP)
    assert bool(plan.rented) == taken


def test_the_most_that_may_be_rented_holds_over_all_providers():
    """Both are cheap and stand in other metros; each could take three."""
    text = changed(MANY, ("requests_per_s: 600", "requests_per_s: 150"))
    offers = (CHEAP, offer("1", provider="aws", region="east"))
    free = plan_with("", *offers, text=text)
    assert rented(free) > 3
    held = plan_with("max_accelerators: 3", *offers, text=text)
    assert rented(held) == 3
    assert free.cost_per_hour.total < held.cost_per_hour.total
    told = {(b.limit, b.where): b for b in held.binding}
    assert told["rented", "rental"].used == 3.0
    assert told["rented", "rental"].available == 3.0
    assert all(b.limit != "rented" for b in free.binding)


def test_too_little_that_may_be_rented_is_told_and_enough_is_enough():
    text = text_with("max_accelerators: 2", MANY)
    with pytest.raises(InfeasibleError) as caught:
        make_plan(read(text), Priced(DEAR))
    told = {c.path: c.value for c in caught.value.changes}
    assert set(told) == {"rental.max_accelerators"}
    assert "what may be rented binds" in str(caught.value)
    wanted = told["rental.max_accelerators"]
    enough = changed(text, ("max_accelerators: 2", f"max_accelerators: {wanted:.0f}"))
    assert rented(make_plan(read(enough), Priced(DEAR))) == wanted
    less = changed(text, ("max_accelerators: 2", f"max_accelerators: {wanted - 1:.0f}"))
    with pytest.raises(InfeasibleError):
        make_plan(read(less), Priced(DEAR))


def test_who_may_only_be_served_at_some_sites_is_never_served_at_others():
    """Even where that is next to free and one's own site has too little."""
    plan = plan_with("", offer("0.01"), text=MANY)
    assert {f.site for f in plan.flows if f.tenant == "rhein"} == {"frankfurt"}
    assert all(f.site not in ("ashburn", "frankfurt") for f in plan.flows if f.tenant == "acme")
    stays = changed(MANY, ("acme: {}", "acme: {allowed_sites: [ashburn, frankfurt]}"))
    with pytest.raises(InfeasibleError):
        plan_with("", offer("0.01"), text=stays)


def test_carbon_is_not_counted_where_energy_is_in_the_rent():
    """Nobody says what it emits: neither price nor cap reaches it."""
    free = changed(TWO_SITES, ("{allowed_sites: [frankfurt]}", "{}"))
    plain = plan_with("", CHEAP, text=free)
    assert rented(plain) == sum(p.accelerators for p in plain.placements)
    assert plain.carbon_t_per_year == 0.0
    rules = "planning: {carbon_price_per_tonne: 5000, carbon_cap_t_per_year: 0, "
    held = plan_with("", CHEAP, text=changed(free, ("planning: {", rules)))
    assert held.cost_per_hour == plain.cost_per_hour


def test_the_gateway_knows_the_place():
    cloud = read(text_with())
    plan = make_plan(cloud, Priced(CHEAP))
    (place,) = plan.rented
    trips = rules_of_cloud(cloud, CATALOG, "v", plan.rented).round_trips("new-york")
    assert trips is not None
    flow = next(f for f in plan.flows if f.site == place.site)
    assert trips[place.site] * 1e3 == pytest.approx(flow.rtt_ms)
    assert trips[place.site] * 1e3 == pytest.approx(
        CATALOG.round_trip("new-york", place.metro).ms + cloud.network.last_mile_ms
    )
    assert set(trips) == {"ashburn", "frankfurt", place.site}


def test_an_explanation_sets_the_rented_places_beside_ones_own():
    catalog: Catalog = Priced(CHEAP)
    ground = ground_of(read(text_with()), catalog)
    plan = assemble(ground, placed_on(ground))
    places = {p.site: p for p in explain_model(ground, plan, "llama").places}
    (place,) = plan.rented
    assert {"ashburn", "frankfurt", place.site} <= set(places)
    theirs = places[place.site]
    assert theirs.why == "serves"
    assert theirs.cost_per_mtok == pytest.approx(
        1e6 / (theirs.requests_per_s * 3600 * 1200)  # one accelerator at 1 USD
    )
