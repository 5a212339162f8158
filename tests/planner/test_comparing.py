"""Two clouds side by side: latency by hand, equal cost that costs no more, honest sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.perf import shipped
from neocloud.planner import CostByTier, Obligation, Plan, SolverError, point_at
from neocloud.planner.comparing import ComparisonError, Contender, compare
from neocloud.planner.comparison import Comparison, EqualCost, Faster, Figures, Pair
from neocloud.planner.equal_cost import loosen
from neocloud.planner.figures import figures_of, pair_of, total_per_hour
from neocloud.planner.latency import Latency, latency, streams
from neocloud.planner.pictures.pair import draw_comparison
from neocloud.planner.verdict import verdict

from .clouds import CATALOG, TWO_SITES, at_site, changed, plan_of, read

replaced = msgspec.structs.replace

FREE = changed(
    TWO_SITES, ("rhein: {allowed_sites: [frankfurt]}", "rhein: {}"), ("name: small", "name: free")
)
"""Whoever asks, both sites may serve."""
TIGHT = changed(
    TWO_SITES, ("ttft_ms: 1000, tpot_ms: 40", "ttft_ms: 400, tpot_ms: 13"), ("small", "tight")
)


def contender(text: str) -> Contender:
    cloud = read(text)
    return Contender(name=cloud.name, cloud=cloud, catalog=CATALOG, plan=plan_of(text))


def compared(first: str, second: str, max_factor: float = 4.0) -> Comparison:
    return compare(contender(first), contender(second), shipped(), max_factor)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of(TWO_SITES)


@pytest.fixture(scope="module")
def by_hand(plan: Plan) -> Plan:
    """Two replicas: new-york asks in the first half of the day, berlin all day."""
    half, day = (10.0,) * 12 + (0.0,) * 12, (10.0,) * 24
    idle = replaced(
        plan.placements[0].curve[0],
        requests_per_s=0.0, ttft_ms=100.0, ttft_ms_at_percentile=200.0, tpot_ms=10.0, watts=400.0,
    )  # fmt: skip
    full = replaced(
        idle, requests_per_s=20.0, ttft_ms=300.0, ttft_ms_at_percentile=600.0, tpot_ms=50.0,
        watts=800.0,
    )  # fmt: skip
    placement = replaced(
        plan.placements[0],
        curve=(idle, full), pue=1.5, provider="", first_ordinal=0,
        replicas_by_hour=(2,) * 24, requests_per_s_by_hour=(20.0,) * 12 + (10.0,) * 12,
    )  # fmt: skip
    flow = replaced(
        plan.flows[0],
        model=placement.model, site=placement.site, pool=placement.pool, ordinal=0,
        configuration=placement.configuration,
    )  # fmt: skip
    return replaced(
        plan,
        placements=(placement,),
        flows=(
            replaced(flow, user_metro="new-york", rtt_ms=80.0, requests_per_s_by_hour=half),
            replaced(flow, user_metro="berlin", rtt_ms=20.0, requests_per_s_by_hour=day),
        ),
        models=(replaced(plan.models[0], output_tokens_per_request=201.0, tokens_per_day=24e6),),
        cost_per_hour=CostByTier(power=1.0, capital=6.0, operations=2.0, network=0.5),
        obligations=(Obligation(site="ashburn", cost_per_hour=0.5),),
    )


def test_latency_by_metro_by_hand(by_hand: Plan):
    """Replicas take 10 requests/s each (200 ms, 30 ms a token), then 5 (150 ms, 20 ms)."""
    found = figures_of(by_hand)
    metros = {m.metro: m.latency for m in found.metros}
    assert list(metros) == ["berlin", "new-york"]
    assert msgspec.structs.asdict(metros["new-york"]) == pytest.approx(
        {
            "requests_per_s": 5.0,
            "network_ms": 80.0,
            "ttft_ms": 280.0,
            "ttft_ms_at_percentile": 480.0,
            "tpot_ms": 30.0,
            "answer_ms": 280.0 + 200 * 30.0,
        }
    )
    assert msgspec.structs.asdict(metros["berlin"]) == pytest.approx(
        {
            "requests_per_s": 10.0,
            "network_ms": 20.0,
            "ttft_ms": (220.0 + 170.0) / 2,
            "ttft_ms_at_percentile": 420.0,
            "tpot_ms": 25.0,
            "answer_ms": (220.0 + 6000.0 + 170.0 + 4000.0) / 2,
        }
    )
    assert msgspec.structs.asdict(found.latency) == pytest.approx(
        {
            "requests_per_s": 15.0,
            "network_ms": (80.0 + 2 * 20.0) / 3,
            "ttft_ms": (280.0 + 2 * 195.0) / 3,
            "ttft_ms_at_percentile": 480.0,
            "tpot_ms": (30.0 + 2 * 25.0) / 3,
            "answer_ms": (6280.0 + 2 * 5195.0) / 3,
        }
    )
    assert found.models[0].latency == found.latency


def test_cost_power_and_use_by_hand(by_hand: Plan):
    found = figures_of(by_hand)
    assert found.total_per_hour == total_per_hour(by_hand) == 10.0
    assert found.cost_per_mtok == pytest.approx(10.0 * 24 / 24)
    # Two replicas at 600 W, then at 500 W, at the meter half as much again.
    assert found.peak_kw == pytest.approx(1.8)
    assert found.mean_kw == pytest.approx((1.8 + 1.5) / 2)
    assert found.utilisation == pytest.approx((20 + 10) / (2 * 40))
    assert found.accelerators == by_hand.placements[0].accelerators_per_replica * 2
    assert found.rented_accelerators == 0
    assert found.gap == by_hand.search.gap
    rented = replaced(by_hand, placements=(replaced(by_hand.placements[0], provider="lambda"),))
    assert figures_of(rented).rented_accelerators == found.accelerators
    assert figures_of(rented).peak_kw == 0.0


def test_all_users_see_what_the_plan_says_of_its_model(plan: Plan):
    """The model's own summary, and each flow looked up in its placement's curve."""
    found, (model,) = figures_of(plan), plan.models
    assert found.latency.ttft_ms == pytest.approx(model.ttft_ms)
    assert found.latency.ttft_ms_at_percentile == pytest.approx(model.ttft_ms_at_percentile)
    assert found.latency.tpot_ms == pytest.approx(model.tpot_ms)
    assert found.latency.network_ms == pytest.approx(model.network_ms)
    assert found.utilisation == pytest.approx(model.utilisation)
    for stream, flow in zip(streams(plan), plan.flows, strict=True):
        (placement,) = [p for p in plan.placements if flow.placed_on(p)]
        load = placement.requests_per_s_by_hour[3] / placement.replicas_by_hour[3]
        assert stream.tpot_ms[3] == pytest.approx(point_at(placement.curve, load).tpot_ms)


def test_requests_of_nobody_have_no_latency():
    assert set(msgspec.structs.astuple(latency([]))) == {0.0}


def test_a_cloud_beside_itself_is_equal_throughout():
    same = compared(TWO_SITES, TWO_SITES)
    for pair in (same.at_equal_objectives, same.at_equal_cost.pair):
        assert pair.first == pair.second
        assert pair.sooner_answer == Faster(first=0.0, second=0.0, alike=1.0)
    equal = same.at_equal_cost
    assert (equal.loosened, equal.factor, equal.reached, equal.trials) == (None, 1.0, True, ())
    assert same.notes == ()
    assert "Neither beats the other" in same.answer


def test_at_equal_cost_the_dearer_one_costs_no_more_and_with_less_it_would():
    dear = at_site("frankfurt", "usd_per_mwh: 80", "usd_per_mwh: 300", TIGHT)
    cheap = changed(TIGHT, ("tight", "cheap"))
    found = compared(dear, cheap)
    before, equal = found.at_equal_objectives, found.at_equal_cost
    assert before.first.total_per_hour > before.second.total_per_hour
    assert (equal.loosened, equal.reached) == ("tight", True)
    assert equal.pair.first.total_per_hour <= equal.pair.second.total_per_hour
    assert equal.pair.second == before.second
    assert 1.0 < equal.factor <= 4.0
    # It is the plan of the file with these very objectives, and the next lower trial costs more.
    ttft, tpot = 400 * equal.factor, 13 * equal.factor
    looser = changed(dear, ("ttft_ms: 400, tpot_ms: 13", f"ttft_ms: {ttft!r}, tpot_ms: {tpot!r}"))
    assert figures_of(plan_of(looser)) == equal.pair.first
    below = [t for t in equal.trials if t.factor < equal.factor]
    assert all((t.total_per_hour or 0.0) > equal.pair.second.total_per_hour for t in below)
    lower = max((t.factor for t in below), default=1.0)
    assert equal.factor <= 1.1 * lower
    # Turned round, it is the same.
    back = compared(cheap, dear).at_equal_cost
    assert (back.factor, back.loosened) == (equal.factor, "tight")
    assert (back.pair.first, back.pair.second) == (equal.pair.second, equal.pair.first)


def test_where_looser_objectives_save_nothing_it_says_so():
    """One replica is the least, whatever the objective; only its power costs more."""
    few = changed(
        TWO_SITES,
        ("requests_per_s: 40", "requests_per_s: 1"),
        ("requests_per_s: 25", "requests_per_s: 1"),
    )
    dear = at_site("frankfurt", "usd_per_mwh: 80", "usd_per_mwh: 200", few)
    dear = changed(dear, ("name: small", "name: dear"))
    found = compared(few, dear, max_factor=2.0)
    equal = found.at_equal_cost
    assert (equal.loosened, equal.reached, len(equal.trials)) == ("dear", False, 1)
    assert equal.trials[0].factor == equal.max_factor == 2.0
    assert "equal cost is out of reach" in found.answer


def costing(plan: Plan, cost: float) -> Plan:
    return replaced(plan, cost_per_hour=CostByTier(capital=cost), obligations=())


@given(st.floats(1.0, 50.0), st.floats(0.26, 0.99))
def test_loosening_finds_the_cost_where_it_falls_steadily(plan: Plan, start: float, share: float):
    limit = start * share
    found = loosen(costing(plan, start), limit, lambda f: costing(plan, start / f), 4.0)
    assert found.reached
    assert total_per_hour(found.plan) <= limit
    assert 1.0 / share <= found.factor <= 1.1 / share
    assert len(found.trials) <= 8


@given(st.floats(1.01, 3.9))
def test_loosening_finds_the_step_where_cost_falls_at_once(plan: Plan, step: float):
    found = loosen(
        costing(plan, 10.0), 6.0, lambda f: costing(plan, 10.0 if f < step else 5.0), 4.0
    )
    assert found.reached
    assert step <= found.factor <= 1.02 * step


def test_loosening_shows_the_cheapest_where_none_suffices(plan: Plan):
    at: Callable[[float], Plan] = lambda f: costing(plan, 10.0 - f)  # noqa: E731
    found = loosen(costing(plan, 10.0), 5.0, at, 4.0)
    assert (found.reached, found.factor, total_per_hour(found.plan)) == (False, 4.0, 6.0)
    dearer: Callable[[float], Plan] = lambda f: costing(plan, 10.0 + f)  # noqa: E731
    kept = loosen(costing(plan, 10.0), 5.0, dearer, 4.0)
    assert (kept.reached, kept.factor, total_per_hour(kept.plan)) == (False, 1.0, 10.0)


def test_a_factor_that_the_solver_gives_up_on_does_not_suffice(plan: Plan):
    def at(factor: float) -> Plan:
        if factor < 1.9:
            raise SolverError("no placement found within 1 s")
        return costing(plan, 10.0 / factor)

    found = loosen(costing(plan, 10.0), 9.0, at, 4.0)
    assert found.reached
    assert 1.9 <= found.factor <= 1.02 * 1.9
    assert total_per_hour(found.plan) == pytest.approx(10.0 / found.factor)
    assert {t.total_per_hour is None for t in found.trials if t.factor < 1.9} == {True}
    with pytest.raises(SolverError):
        loosen(costing(plan, 10.0), 9.0, at, 1.5)


def test_it_counts_the_requests_that_are_answered_sooner(by_hand: Plan):
    nearer = replaced(
        by_hand,
        flows=tuple(
            replaced(f, rtt_ms=10.0 if f.user_metro == "new-york" else f.rtt_ms)
            for f in by_hand.flows
        ),
    )
    pair = pair_of(by_hand, nearer)
    assert pair.sooner_first_token.second == pytest.approx(1 / 3)
    assert pair.sooner_first_token.alike == pytest.approx(2 / 3)
    # 70 ms of 6280 are more than 1 per cent, of 62,800 they are not.
    assert pair.sooner_answer.second == pytest.approx(1 / 3)
    slow = [
        replaced(p, models=(replaced(p.models[0], output_tokens_per_request=2001.0),))
        for p in (by_hand, nearer)
    ]
    assert pair_of(*slow).sooner_answer.alike == 1.0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("requests_per_s: 40", "requests_per_s: 30", "llama from new-york 40 against 30."),
        ("metros: [berlin]", "metros: [munich]", "berlin 25 against 0, llama from munich 0"),
        ("requests_per_s: 25,", "requests_per_s: 25, shape: servegen-mid,",
         "berlin in other hours (25 in both"),
        ("output_tokens: 200}}", "output_tokens: 300}}", "llama 1000/200 against 1000/261.5"),
        ("ttft_ms: 1000", "ttft_ms: 900", "llama 1000/40 at 90 against 900/40 at 90"),
        ("batch: [64, 256]", "batch: [64, 256], confidence: 0.8", "50% against 80%"),
    ],
)  # fmt: skip
def test_it_says_where_both_do_not_ask_for_the_same(old: str, new: str, told: str):
    found = compared(FREE, changed(FREE, (old, new), ("name: free", "name: other")))
    (note,) = found.notes
    assert told in note
    assert found.answer.startswith("Both do not ask for the same (see the notes). Does free beat ")


def test_two_currencies_are_refused():
    euros = changed(TWO_SITES, ("{EUR: 1.25}", "{USD: 0.8}"), ("name:", "currency: EUR\nname:"))
    with pytest.raises(ComparisonError, match=r"counts in USD, .* in EUR"):
        compared(TWO_SITES, euros)


def figures(cost: float, ttft: float, answer: float, gap: float = 0.0) -> Figures:
    return Figures(
        total_per_hour=cost, cost_per_hour=CostByTier(capital=cost), obligations_per_hour=0.0,
        idle_per_hour=0.0, cost_per_mtok=1.0, accelerators=8, rented_accelerators=0,
        utilisation=0.5, mean_kw=1.0, peak_kw=1.0, carbon_t_per_year=1.0, gap=gap,
        latency=Latency(requests_per_s=1.0, network_ms=1.0, ttft_ms=ttft,
                        ttft_ms_at_percentile=ttft, tpot_ms=1.0, answer_ms=answer),
        models=(), metros=(),
    )  # fmt: skip


def pair(first: Figures, second: Figures) -> Pair:
    alike = Faster(first=0.0, second=0.0, alike=1.0)
    return Pair(first=first, second=second, sooner_first_token=alike, sooner_answer=alike)


@pytest.mark.parametrize(
    ("first", "second", "equal", "word", "parts"),
    [
        ((9, 100, 5000), (10, 100, 5000), (9, 120, 6000), "Yes",
         ["costs 10.0% less (9 against 10", "whole answer after 5 s against 6 s"]),
        ((9, 100, 5000), (10, 100, 5000), (9, 80, 5000), "In part", ["100 ms on average ag"]),
        ((9, 100, 5000), (10, 90, 4000), (9, 90, 4000), "In part", []),
        ((9, 100, 5000), (10, 100, 5000), (9, 100.9, 4951), "Yes", []),
    ],
)  # fmt: skip
def test_the_word_follows_from_the_figures(first, second, equal, word, parts):
    """And is the opposite one where the clouds change places."""
    one, other, looser = figures(*first), figures(*second), figures(*equal)

    def told(name: str, pair_before: Pair, pair_after: Pair, rest: str) -> str:
        after = EqualCost(
            loosened="dear", factor=1.5, reached=True, max_factor=4.0, trials=(), pair=pair_after
        )
        return verdict(name, rest, "USD", pair_before, after)

    text = told("cheap", pair(one, other), pair(one, looser), "dear")
    assert text.startswith(f"Does cheap beat dear? {word}: at equal objectives it costs ")
    assert "at equal cost, dear's objectives loosened 1.5 times" in text
    for part in parts:
        assert part in text
    back = told("dear", pair(other, one), pair(looser, one), "cheap")
    opposite = {"Yes": "No", "In part": "In part"}[word]
    assert back.startswith(f"Does dear beat cheap? {opposite}: ")
    assert "its own objectives loosened 1.5 times" in back


def test_what_the_gaps_leave_open_is_no_advantage():
    both = pair(figures(9.9, 100, 5000), figures(10, 100, 5000, gap=0.02))
    equal = EqualCost(loosened="b", factor=1.2, reached=True, max_factor=4.0, trials=(), pair=both)
    text = verdict("a", "b", "USD", both, equal)
    assert "Neither beats the other: at equal objectives it costs as much" in text
    assert "a difference below the proven gaps" in text


def test_json_keeps_everything_and_fits_its_schema():
    found = compared(TWO_SITES, TIGHT)
    data = msgspec.json.encode(found)
    assert msgspec.json.decode(data, type=Comparison) == found
    assert found.schema == "neocloud.comparison/1"
    schema = msgspec.json.decode(
        (Path(__file__).parents[2] / "schemas/comparison.schema.json").read_bytes()
    )
    jsonschema.validate(msgspec.json.decode(data), schema)


def test_the_picture_is_the_same_each_time(tmp_path: Path):
    found = compared(TWO_SITES, TIGHT)
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        draw_comparison(found, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    text = tmp_path / "a.svg"
    draw_comparison(found, text)
    assert "<svg" in text.read_text()
    with pytest.raises(ValueError, match="format"):
        draw_comparison(found, tmp_path / "a.nothing")
