"""What must not make a plan cheaper does not, what must not make it dearer does not either.

Two clouds of which one allows all that the other allows at no higher a price: the best plan of the
one costs no more than that of the other. Placements are within their proven gaps of the best, so
the bound of the better cloud may not lie above the cost of the worse one.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.planner import ground_of, placed_on
from neocloud.planner.placing import place
from neocloud.planner.setting import Placed

from .clouds import CATALOG, TWO_SITES, at_site, changed, read
from .test_rented import Priced, offer

PLANNING = "planning: {tp: [1, 2], batch: [64, 256]}"
EXAMPLES = settings(max_examples=5)
OFFERS = Priced(offer("2.4"), offer("2.2", provider="aws", region="east"))


@dataclass(frozen=True)
class Sizes:
    """What a cloud is drawn from."""

    rates: tuple[int, int]
    prices: tuple[int, int]
    capex: tuple[int, int]
    rule: str

    def text(self) -> str:
        """Two sites with room for both rates, more where a site must be spared."""
        text = changed(
            TWO_SITES,
            ("requests_per_s: 40,", f"requests_per_s: {self.rates[0]}, shape: servegen-mid,"),
            ("requests_per_s: 25,", f"requests_per_s: {self.rates[1]},"),
            ("{allowed_sites: [frankfurt]}", "{allowed_sites: [ashburn, frankfurt]}"),
            (PLANNING, PLANNING.replace("{", "{" + self.rule, 1)),
        )
        sites = zip(("ashburn", "frankfurt"), self.prices, self.capex, strict=True)
        for site, price, capex in sites:
            text = at_site(site, "usd_per_mwh: 80", f"usd_per_mwh: {price}", text)
            text = at_site(site, "nodes: 1", f"nodes: 2, capex_usd: {capex}", text)
        return text


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


CLOUDS = st.builds(
    Sizes,
    rates=pairs(1, 160),
    prices=pairs(10, 400),
    capex=pairs(10_000, 90_000),
    rule=st.sampled_from(["", "replicas: hourly, ", "spares: replica, ", "spares: site, "]),
)


def placed(text: str) -> Placed | None:
    """Of the best plan, which may rent where the text says so; None where there is none."""
    return place(ground_of(read(text), OFFERS).setting, target_gap=1e-4)


def cost(text: str) -> float:
    """Of the day."""
    found = placed(text)
    assert found is not None
    return found.cost


def hold(better: str, worse: str) -> tuple[float, float]:
    """The better cloud's best plan is no dearer than the worse one's; costs of the day of both."""
    some, other = placed(better), placed(worse)
    if other is None:  # dearer than any
        return (0.0 if some is None else some.cost), float("inf")
    assert some is not None, "the better cloud has every plan that the worse one has"
    assert some.bound <= other.cost * (1 + 1e-9)
    assert max(some.gap, other.gap) <= 1e-4
    return some.cost, other.cost


# Prices.


@given(CLOUDS, st.sampled_from(["ashburn", "frankfurt"]), st.integers(1, 500))
@EXAMPLES
def test_dearer_energy(sizes: Sizes, site: str, more: int):
    before = sizes.text()
    price = dict(zip(("ashburn", "frankfurt"), sizes.prices, strict=True))[site]
    hold(before, at_site(site, f"usd_per_mwh: {price}", f"usd_per_mwh: {price + more}", before))


@given(CLOUDS, st.sampled_from(["ashburn", "frankfurt"]), st.integers(1, 100_000))
@EXAMPLES
def test_dearer_accelerators(sizes: Sizes, site: str, more: int):
    before = sizes.text()
    price = dict(zip(("ashburn", "frankfurt"), sizes.capex, strict=True))[site]
    hold(before, at_site(site, f"capex_usd: {price}", f"capex_usd: {price + more}", before))


@given(CLOUDS, st.sampled_from(["ashburn", "frankfurt"]), st.floats(0.01, 5.0))
@EXAMPLES
def test_dearer_traffic(sizes: Sizes, site: str, price: float):
    before = sizes.text()
    dear = f"    network_usd_per_gb: {price:.3f}\n    pools:"
    hold(before, at_site(site, "    pools:", dear, before))


@given(CLOUDS, st.integers(1, 1000))
@EXAMPLES
def test_a_price_on_carbon(sizes: Sizes, price: int):
    before = sizes.text()
    hold(before, changed(before, ("planning: {", f"planning: {{carbon_price_per_tonne: {price}, ")))


@given(CLOUDS, st.integers(1, 60))
@EXAMPLES
def test_a_demand_charge(sizes: Sizes, charge: int):
    before = sizes.text()
    dear = f"capacity_mw: 0.1, demand_charge_per_kw_month: {charge}"
    hold(before, at_site("ashburn", "capacity_mw: 0.1", dear, before))


# Demand and objectives.


@given(CLOUDS, st.integers(1, 100))
@EXAMPLES
def test_more_demand(sizes: Sizes, more: int):
    before = sizes.text()
    first = f"requests_per_s: {sizes.rates[0]},"
    some, other = hold(
        before, changed(before, (first, f"requests_per_s: {sizes.rates[0] + more},"))
    )
    assert other > some, "each request costs energy and traffic at least"


@given(CLOUDS, st.sampled_from([(1000, 45), (1500, 40), (3000, 100)]))
@EXAMPLES
def test_a_looser_objective(sizes: Sizes, objective: tuple[int, int]):
    before = sizes.text()
    tight = changed(before, ("ttft_ms: 1000, tpot_ms: 40", "ttft_ms: 400, tpot_ms: 25"))
    ttft, tpot = objective
    loose = changed(before, ("ttft_ms: 1000, tpot_ms: 40", f"ttft_ms: {ttft}, tpot_ms: {tpot}"))
    hold(before, tight)
    hold(loose, before)


@given(CLOUDS)
@EXAMPLES
def test_fewer_sites_that_may_serve(sizes: Sizes):
    before = sizes.text()
    if "spares: site" not in before:  # who has one site needs no other
        hold(before, changed(before, ("[ashburn, frankfurt]", "[frankfurt]")))


# Supply.


@given(CLOUDS, st.sampled_from(["ashburn", "frankfurt"]), st.integers(3, 9))
@EXAMPLES
def test_more_nodes(sizes: Sizes, site: str, nodes: int):
    few = sizes.text()
    hold(at_site(site, "nodes: 2", f"nodes: {nodes}", few), few)


@given(CLOUDS, st.sampled_from(["ashburn", "frankfurt"]), st.floats(0.001, 0.02))
@EXAMPLES
def test_more_power(sizes: Sizes, site: str, capacity: float):
    much = sizes.text()
    little = at_site(site, "capacity_mw: 0.1", f"capacity_mw: {0.012 + capacity:.4f}", much)
    hold(much, little)


@given(CLOUDS)
@EXAMPLES
def test_rented_accelerators(sizes: Sizes):
    own = sizes.text()
    hold(f"{own}rental: {{providers: [lambda, aws], currency: USD}}\n", own)


def test_renting_more():
    own = Sizes((160, 160), (400, 400), (90_000, 90_000), "").text()
    texts = [
        f"{own}rental: {{providers: [lambda, aws], currency: USD, max_accelerators: {most}}}\n"
        for most in (1, 3, 100)
    ]
    costs = [cost(text) for text in texts]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


# The search.


@given(CLOUDS)
@EXAMPLES
def test_another_precision(sizes: Sizes):
    own = sizes.text()
    both = changed(own, ("    objective:", "    precisions: [bf16, fp8]\n    objective:"))
    some, other = hold(both, own)
    if sum(sizes.rates) > 100:
        assert some < other


@given(CLOUDS, st.sampled_from(["tp: [1]", "tp: [2]"]), st.sampled_from(["batch: [64]"]))
@EXAMPLES
def test_a_wider_search(sizes: Sizes, tp: str, batch: str):
    wide = sizes.text()
    hold(wide, changed(wide, ("tp: [1, 2], batch: [64, 256]", f"{tp}, {batch}")))


APART = """\
name: apart
sites:
  ashburn:
    metro: washington
    power: [{usd_per_mwh: 80}]
    pools:
      - {accelerator: h200-sxm, nodes: 12, engine: sglang}
models:
  r1:
    config: deepseek-ai/DeepSeek-R1
    objective: {ttft_ms: 3000, tpot_ms: TPOT}
    price_per_mtok: {input: 0.5, output: 2}
demand:
  - {model: r1, metros: [new-york], requests_per_s: RATE,
     lengths: {input_tokens: 4000, output_tokens: 500}}
planning: {SERVING, tp: [8], attention_dp: [1, 8], pp: [1], drafts: [0, 2], workers: 2}
"""


@pytest.mark.parametrize(("tpot", "rate"), [(25, 8), (50, 14)])
def test_workers_apart(tpot: int, rate: int):
    text = APART.replace("TPOT", str(tpot)).replace("RATE", str(rate))
    both, one = (
        text.replace("SERVING", f"serving: {serving}")
        for serving in ("[aggregated, disaggregated]", "[aggregated]")
    )
    some, other = hold(both, one)
    if tpot == 25:
        assert some < other


def test_the_offers_are_not_rented_without_being_asked():
    text = Sizes((160, 160), (400, 400), (90_000, 90_000), "").text()
    assert cost(text) == pytest.approx(placed_on(ground_of(read(text), CATALOG)).cost)
