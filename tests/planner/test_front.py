"""The front against brute force and the model itself; its counts, words and pictures."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.perf import Load
from neocloud.planner.pictures.marks import Axis, lower_edge, measures
from neocloud.planner.pictures.page import page_of
from neocloud.planner.pictures.plot import draw_front
from neocloud.planner.pictures.words import described, spread_out, summed_up
from neocloud.planner.search.front import Curve, Front, FrontStation
from neocloud.planner.searches import front_of, priced_accelerators
from neocloud.planner.standalone import Wish, WishError, cloud_text, standalone

from .fronts import CATALOG, PREDICTOR, SMALL, every_point, front, judged, plain, read, steady_of

EMPTY = Front(
    model="m", currency="USD", load=Load(input_tokens=1.0, output_tokens=1.0),
    ttft_ms=1.0, tpot_ms=1.0, percentile=90.0,
    confidence=0.5, prices=(), points=(), cheapest=(), curves=(), examined=0, no_room=0,
    dominated=0, hopeless={}, skipped={},
)  # fmt: skip


@pytest.fixture(scope="module")
def small() -> Front:
    return front()


def close(a: float) -> object:
    return pytest.approx(a, rel=1e-9)


def test_no_point_beats_another(small: Front) -> None:
    points = [plain(p) for p in small.points]
    assert len(points) > 20
    assert not [(a, b) for a in points for b in points if a.beats(b)]
    assert len(set(points)) == len(points)


def test_it_is_what_brute_force_leaves(small: Front) -> None:
    points = list(every_point(read(), small))
    left = [p for p in points if not any(other.beats(p) for other in points)]
    # What is a rounding apart is the same point, found twice.
    expected = {(f"{p.cost:.9e}", f"{p.tpot_ms:.9e}", f"{p.joules:.9e}", p.meets) for p in left}
    found = {
        (f"{p.cost:.9e}", f"{p.tpot_ms:.9e}", f"{p.joules:.9e}", p.meets)
        for p in map(plain, small.points)
    }
    assert found == expected
    met = [p for p in points if p.meets]
    assert small.cheapest[0].cost_per_mtok == close(min(p.cost for p in met))
    assert small.cheapest[0] in small.points


def test_each_point_is_what_the_model_says_of_its_configuration(small: Front) -> None:
    cloud = read()
    prices = {p.place: p for p in small.prices}
    for p in small.points:
        c = p.decode.configuration
        found = steady_of(cloud, c, small.load, p.decode_batch)
        assert bool(found.fits), c
        assert p.requests_per_s == close(float(found.requests_per_s))
        assert p.ttft_ms_at_percentile == close(float(found.ttft_s_at_percentile) * 1e3)
        assert p.tpot_ms_at_percentile == close(float(found.tpot_s_at_percentile) * 1e3)
        assert p.tokens_per_s_per_user == close(1.0 / float(found.tpot_s))
        objective = cloud.models["llama"].objective
        again = judged(prices[p.place], objective, small.load, c.accelerators, found)
        assert (p.cost_per_mtok, p.joules_per_token) == (close(again.cost), close(again.joules))
        assert p.meets_objective is again.meets
        kwh = p.joules_per_token * 1e6 / 3.6e6
        assert p.power_cost_per_mtok == close(kwh * prices[p.place].per_kwh)


def test_some_meet_the_objective_and_some_do_not(small: Front) -> None:
    assert {p.meets_objective for p in small.points} == {True, False}
    for p in small.cheapest:
        assert p.meets_objective
        assert p.tpot_ms_at_percentile <= small.tpot_ms
    assert [p.cost_per_mtok for p in small.cheapest] == sorted(
        p.cost_per_mtok for p in small.cheapest
    )


def test_every_examined_point_is_accounted_for(small: Front) -> None:
    assert small.examined == small.no_room + small.dominated + len(small.points)
    assert min(small.no_room, small.dominated) > 0


def test_users_far_away_miss_an_objective_that_near_ones_hold() -> None:
    near = front(SMALL.replace("ttft_ms: 1000", "ttft_ms: 100"))
    far = front(SMALL.replace("ttft_ms: 1000", "ttft_ms: 100").replace("[washington]", "[tokyo]"))
    assert far.prices[0].rtt_ms > 100.0 > near.prices[0].rtt_ms > 0.0
    assert near.cheapest
    assert not far.cheapest
    assert not any(p.meets_objective for p in far.points)


def test_pools_that_cannot_be_searched_are_told() -> None:
    text = SMALL.replace(
        "      - {accelerator: mi300x, nodes: 1}\n",
        "      - {accelerator: gaudi-3, nodes: 1, capex_usd: 9000}\n"
        "      - {accelerator: mi300x, nodes: 1, start: 2030-01-01}\n",
    ).replace("planning: {", "planning: {date: 2027-01-01, ")
    made = front(text)
    assert set(made.skipped) == {"ashburn/gaudi-3", "ashburn/mi300x"}
    assert "no measured result" in made.skipped["ashburn/gaudi-3"]
    assert "2027-01-01" in made.skipped["ashburn/mi300x"]
    assert {p.place for p in made.points} == {"ashburn/h100-sxm"}


def test_two_pools_of_a_kind_share_a_search_and_keep_their_prices() -> None:
    second = """\
  oslo:
    metro: oslo
    power: [{usd_per_mwh: 40}]
    pools: [{accelerator: h100-sxm, nodes: 1}]
models:
"""
    made = front(SMALL.replace("models:\n", second))
    prices = {p.place: p.per_kwh for p in made.prices}
    assert prices["oslo/h100-sxm"] == pytest.approx(prices["ashburn/h100-sxm"] / 2.0)
    told = "\n".join(summed_up(made))
    assert "h100-sxm at oslo" in told
    assert "Power: ashburn at 80 USD/MWh and a PUE of 1.25; oslo at 40 USD/MWh" in told
    # What holds the objective from Oslo costs less there and is as fast: Ashburn is beaten.
    theirs = [p for p in made.points if p.decode.accelerator == "h100-sxm"]
    assert {p.place for p in theirs if p.meets_objective} == {"oslo/h100-sxm"}


def test_workers_apart_come_in_where_the_file_wants_them() -> None:
    apart = front(SMALL.replace("serving: [aggregated]", "serving: [disaggregated]"))
    assert apart.points
    assert all(p.prefill is not None for p in apart.points)
    for p in apart.points:
        assert p.prefill is not None
        assert p.accelerators == p.decode.accelerators + p.prefill.accelerators
    both = front(SMALL.replace(", serving: [aggregated]", ""))
    assert {p.prefill is None for p in both.points} == {True, False}
    assert both.cheapest[0].cost_per_mtok <= min(
        apart.cheapest[0].cost_per_mtok, front().cheapest[0].cost_per_mtok
    )


def test_no_replica_is_larger_than_asked_with_all_its_workers() -> None:
    def largest(most: int) -> int:
        wish = Wish(model="openai/gpt-oss-20b", max_accelerators=most, tp=(1, 2), pp=(1,))
        cloud, asked = standalone(wish, ("h100-sxm",), CATALOG)
        return max(p.accelerators for p in front_of(asked, cloud, CATALOG, PREDICTOR).points)

    assert 3 < largest(8) <= 8
    assert largest(3) <= 3
    text = SMALL.replace(", serving: [aggregated]", "")
    assert max(p.accelerators for p in front(text).points) <= 8  # what its pools hold


def test_a_model_too_large_is_hopeless() -> None:
    wish = Wish(model="meta-llama/Meta-Llama-3.1-405B", max_accelerators=1)
    cloud, asked = standalone(wish, ("h100-sxm",), CATALOG)
    made = front_of(asked, cloud, CATALOG, PREDICTOR)
    assert made.points == ()
    assert "fit no configuration" in made.hopeless["here/h100-sxm"]
    assert made.examined == made.no_room > 0
    assert "No accelerator serves" in page_of(made)


def test_a_wish_becomes_a_cloud_with_the_defaults_of_the_file() -> None:
    wish = Wish(
        model="meta-llama/Meta-Llama-3.1-8B", lengths="azure-code", ttft_ms=700.0,
        precisions=("bf16", "fp8"), tp=(1, 2), usd_per_mwh=50.0, pue=1.1, confidence=0.8,
        engine="sglang",
    )  # fmt: skip
    cloud, asked = standalone(wish, ("h100-sxm", "mi300x"), CATALOG)
    (site,) = cloud.sites.values()
    (model,) = cloud.models.values()
    assert [p.accelerator for p in site.pools] == ["h100-sxm", "mi300x"]
    assert {p.engine for p in site.pools} == {"sglang"}
    assert (site.pue, float(site.power[0].price_per_mwh)) == (1.1, 50.0)
    assert (model.objective.ttft_ms, model.precisions) == (700.0, ("bf16", "fp8"))
    assert cloud.planning.attention_dp == (1, 2, 4, 8, 16, 32)
    assert (cloud.planning.tp, cloud.planning.confidence) == ((1, 2), 0.8)
    assert asked.load.input_tokens > 1500.0  # the trace's, not the 1,024 of a wish
    assert dict(asked.rtts_ms) == {}


def test_what_the_file_does_not_take_is_told_with_its_remedy() -> None:
    with pytest.raises(WishError, match=r"'fp7' cannot be served.*fp8"):
        standalone(Wish(model="openai/gpt-oss-20b", precisions=("fp7",)), ("h100-sxm",), CATALOG)


def test_the_text_of_a_cloud_names_no_price_that_was_not_given() -> None:
    text = cloud_text(Wish(model="openai/gpt-oss-20b"), ("h100-sxm",), CATALOG)
    assert "usd_per_mwh" not in text
    assert "pue" not in text


def test_accelerators_without_a_price_or_measurement_say_so() -> None:
    kept, left = priced_accelerators(CATALOG, PREDICTOR)
    assert {"h100-sxm", "mi300x", "b200-sxm"} <= set(kept)
    assert "no measured result" in left["tpu-v6e"]
    assert "capex_usd" in left["rtx-a6000"]
    assert set(kept) | set(left) == set(CATALOG.accelerators)


def test_without_a_price_the_market_s_rent_stands_in() -> None:
    """Of an L4 nobody tells a price; what providers ask for an hour of one is known."""
    kept, _ = priced_accelerators(CATALOG, PREDICTOR, ("l4", "h100-sxm"))
    assert kept == ("l4", "h100-sxm")
    cloud, _ = standalone(Wish(model="openai/gpt-oss-20b"), kept, CATALOG)
    pools = {p.accelerator: p for p in cloud.sites["here"].pools}
    asked = CATALOG.rental_range("l4")
    assert asked is not None
    assert float(pools["l4"].lease_usd_per_hour) == pytest.approx(float(asked.median))
    assert pools["h100-sxm"].lease_usd_per_hour is None


def test_it_survives_its_own_format(small: Front) -> None:
    assert msgspec.json.decode(msgspec.json.encode(small), type=Front) == small


def test_a_selection_is_spread_and_keeps_the_cheapest(small: Front) -> None:
    some = spread_out(small, 8)
    assert 4 <= len(some) <= 8
    assert small.cheapest[0] in some
    assert spread_out(small, len(small.points)) == small.points
    speeds = [p.tokens_per_s_per_user for p in some]
    assert speeds == sorted(speeds, reverse=True)
    assert max(speeds) / min(speeds) > 3.0


def test_workers_apart_are_described_apart(small: Front) -> None:
    p = small.points[0]
    prefill = FrontStation(accelerator="h100-sxm", configuration=p.decode.configuration, workers=2)
    apart = msgspec.structs.replace(
        p, prefill=prefill, decode=msgspec.structs.replace(p.decode, workers=3)
    )
    told = described(small, apart)
    assert re.search(r"2 x prefill on h100-sxm \(.*\) \+ 3 x decode on ", told)


class _Page(HTMLParser):
    """Counts what a page holds and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.points: list[str] = []
        self.rows = 0
        self.tags: set[str] = set()
        self.references: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        if "point" in (given.get("class") or "").split():
            self.points.append(given["aria-label"] or "")
        self.rows += tag == "tr" and "data-i" in given
        self.references += [f"{k}={v}" for k, v in attrs if k in {"src", "href", "xlink:href"}]


def test_the_page_holds_all_points_and_refers_to_nothing(small: Front) -> None:
    text = page_of(small)
    page = _Page(text)
    assert len(page.points) == page.rows == len(small.points)
    for p, told in zip(small.points, page.points, strict=True):
        assert f"{p.cost_per_mtok:.3g} USD" in told
        assert ("objective holds" in told) is p.meets_objective
    assert page.references == []
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(|XMLHttpRequest|import\(", text)
    assert {"title", "desc", "table", "caption", "script", "style", "fieldset"} <= page.tags
    assert "prefers-color-scheme: dark" in text


def test_the_page_takes_names_as_text(small: Front) -> None:
    named = msgspec.structs.replace(small, model="</script><img src=x>&\"'.json")
    text = page_of(named)
    assert "<img" not in text
    assert text.count("</script>") == 1


def test_the_plot_is_the_same_each_time(small: Front, tmp_path: Path) -> None:
    one, two, vector = tmp_path / "a.png", tmp_path / "b.PNG", tmp_path / "c.svg"
    for path in (one, two, vector):
        draw_front(small, path)
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes().startswith(b"\x89PNG")
    assert "<svg" in vector.read_text()


@given(
    st.floats(1e-6, 1e6),
    st.floats(1.01, 1e6),
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=5),
)
def test_an_axis_keeps_order_and_ends(low: float, ratio: float, shares: list[float]) -> None:
    axis = Axis(low, low * ratio, 500.0, 20.0)
    values = sorted(low * ratio**s for s in shares)
    places = [axis.at(v) for v in values]
    assert places == sorted(places, reverse=True)
    assert all(20.0 - 1e-6 <= p <= 500.0 + 1e-6 for p in places)
    assert axis.at(low / 2.0) == pytest.approx(500.0)
    ticks = axis.ticks()
    assert ticks == sorted(set(ticks))
    assert all(low <= t <= low * ratio for t in ticks)
    assert ticks or ratio < 2.51


@given(st.lists(st.tuples(st.floats(1.0, 1e3), st.floats(0.01, 1e3)), min_size=1, max_size=30))
def test_a_lower_edge_is_the_least_at_each_speed(pairs: list[tuple[float, float]]) -> None:
    curve = Curve(
        place="a/b", accelerator="b", tokens_per_s_per_user=tuple(x for x, _ in pairs),
        cost_per_mtok=tuple(y for _, y in pairs), joules_per_token=tuple(y for _, y in pairs),
    )  # fmt: skip
    cost = measures(msgspec.structs.replace(EMPTY, curves=(curve,)))[0]
    edge = lower_edge(curve, cost)
    assert edge
    assert [y for _, y in edge] == sorted({y for _, y in edge}, reverse=True)
    for x, y in pairs:
        assert min(v for s, v in edge if s >= x) <= y
