"""Why a model is served as planned: every place and the ways to run it, with cost and reason."""

from __future__ import annotations

import pytest

from neocloud.planner import (
    Explanation,
    Plan,
    SolverError,
    assemble,
    explain_model,
    ground_of,
    placed_on,
)
from neocloud.planner.market import market_price

from .clouds import CATALOG, TWO_SITES, at_site, changed, read, solved

KINDS = at_site(
    "ashburn",
    "      - {accelerator: h100-sxm, nodes: 1}",
    "      - {accelerator: h100-sxm, nodes: 1}\n      - {accelerator: h200-sxm, nodes: 1}\n"
    "      - {accelerator: l40s, nodes: 1, capex_usd: 12000}\n"
    "      - {accelerator: gaudi-3, nodes: 1, capex_usd: 1}",
)


def explained(text: str) -> tuple[Explanation, Plan]:
    ground, _, plan = solved(text)
    return explain_model(ground, plan, "llama"), plan


def test_places_are_sorted_by_cost_and_those_that_serve_are_marked():
    found, plan = explained(KINDS)
    costs = [p.cost_per_mtok for p in found.places]
    known = [c for c in costs if c is not None]
    assert known == sorted(known)
    assert costs[: len(known)] == known, "what serves nothing comes last"
    assert {(p.site, p.pool) for p in found.places} == {
        ("ashburn", "h100-sxm"), ("ashburn", "h200-sxm"), ("ashburn", "l40s"),
        ("frankfurt", "h100-sxm"),
    }  # fmt: skip
    serving = {(p.site, p.pool): p.replicas for p in plan.placements}
    for p in found.places:
        assert p.replicas == serving.get((p.site, p.pool), 0)
        assert (p.why == "serves") == (p.replicas > 0)
    assert sum(p.replicas > 0 for p in found.places) >= 1


def test_what_serves_costs_what_its_rates_and_power_come_to():
    found, plan = explained(TWO_SITES)
    (p,) = plan.placements
    (place,) = [r for r in found.places if r.replicas]
    full = p.curve[-1]
    hour = p.rates.capital_per_accelerator_hour + p.rates.operations_per_accelerator_hour
    power = full.watts / 1e3 * 1.25 * 0.08
    by_hand = (hour + power) / (full.requests_per_s * 3600 * 1200) * 1e6
    assert place.cost_per_mtok == pytest.approx(by_hand)
    assert place.configuration == p.configuration
    assert place.requests_per_s == full.requests_per_s


def test_what_is_dearer_says_by_how_much_and_what_is_not_says_that():
    dear = at_site("ashburn", "nodes: 1", "nodes: 1, capex_usd: 200000", TWO_SITES)
    found, _ = explained(dear)
    serves, loses = found.places
    assert (serves.site, serves.why) == ("frankfurt", "serves")
    more = loses.cost_per_mtok / serves.cost_per_mtok - 1
    assert more > 1.0
    assert loses.why == f"{more:.0%} dearer than what serves"


FAR = at_site(
    "ashburn", "usd_per_mwh: 80", "usd_per_mwh: 70",
    at_site("ashburn", "    pools:", "    network_usd_per_gb: 9\n    pools:", TWO_SITES),
)  # fmt: skip
"""Ashburn is cheaper by energy and dearer by traffic, which no figure at full load tells."""


def test_what_looks_cheap_is_tried_by_placing_again():
    free = changed(FAR, ("{allowed_sites: [frankfurt]}", "{}"))
    ground, placed, plan = solved(free)
    first = explain_model(ground, plan, "llama").places[0]
    assert first.site == "ashburn"
    assert first.why == "its accelerators, power or distance serve other demand better"
    tried = explain_model(ground, plan, "llama", placed).places[0]
    stays = "acme: {allowed_sites: [ashburn]}\n  rhein: {allowed_sites: [ashburn]}"
    there = solved(changed(free, ("acme: {}\n  rhein: {}", stays)))[1]
    more = there.cost / placed.cost - 1
    assert more > 0.1
    assert tried.why == f"all of the model there: the whole plan costs {more:+.1%}"


def test_what_cannot_serve_alone_says_so(monkeypatch: pytest.MonkeyPatch):
    """Who must stay at Frankfurt cannot be served at Ashburn; nor waits an answer for ever."""
    ground, placed, plan = solved(FAR)
    assert explain_model(ground, plan, "llama", placed).places[0].why == (
        "cannot serve all of the model's users alone"
    )

    def late(*_: object, **__: object) -> None:
        raise SolverError("no placement found within 10 s")

    monkeypatch.setattr("neocloud.planner.runners_up.place", late)
    assert explain_model(ground, plan, "llama", placed).places[0].why == (
        "all of the model there: no placement found within 10 s"
    )


def test_a_place_that_cannot_serve_says_why():
    tight = changed(
        KINDS, ("tpot_ms: 40", "tpot_ms: 9"), ("tp: [1, 2]", "tp: [1]"),
    )  # fmt: skip
    found, _ = explained(tight)
    slow = next(p for p in found.places if p.pool == "l40s")
    assert slow.configuration is None
    assert slow.cost_per_mtok is None
    assert slow.why.startswith("reaches a tpot of ")
    assert "(objective 9)" in slow.why


def test_a_place_that_is_too_small_says_what_a_replica_needs():
    text = changed(
        TWO_SITES,
        ("Meta-Llama-3.1-8B", "Meta-Llama-3.1-405B"),
        ("tpot_ms: 40", "tpot_ms: 60"),
        ("tp: [1, 2]", "tp: [8]"),
    )
    text = at_site("ashburn", "nodes: 1", "nodes: 4", text)
    text = at_site("frankfurt", "{accelerator: h100-sxm, nodes: 1}",
                   "{accelerator: h100-sxm, nodes: 4}", text)  # fmt: skip
    text = at_site("ashburn", "      - {accelerator: h100-sxm, nodes: 4}",
                   "      - {accelerator: h100-sxm, nodes: 4}\n"
                   "      - {accelerator: h100-sxm, nodes: 1, name: small}", text)  # fmt: skip
    text = text.replace("requests_per_s: 40", "requests_per_s: 0.4")
    text = text.replace("requests_per_s: 25", "requests_per_s: 0.4")
    found, _ = explained(text)
    small = next(p for p in found.places if p.pool == "small")
    assert small.configuration is None
    assert small.why == "a replica needs 16 accelerators"


@pytest.mark.parametrize("batches", ["batch: [64, 256]", "batch: [256], batch_tokens: [2048]"])
def test_the_ways_to_run_it_contain_the_chosen_one(batches: str):
    found, plan = explained(changed(TWO_SITES, ("batch: [64, 256]", batches)))
    main = max(plan.placements, key=lambda p: sum(p.requests_per_s_by_hour))
    (own,) = [c for c in found.configurations if c.replicas]
    assert own.configuration == main.configuration
    assert own.why == "serves"
    assert own.replicas == main.replicas
    costs = [c.cost_per_mtok for c in found.configurations]
    assert costs == sorted(costs)
    shapes = [(c.configuration.tp, c.configuration.pp) for c in found.configurations]
    assert len(set(shapes)) == len(shapes) > 1
    for c in found.configurations:
        assert (c.site, c.pool) == (main.site, main.pool)
        if c is not own:
            assert c.why == f"{c.cost_per_mtok / costs[0] - 1:+.1%} against the cheapest here"


FORMATS = "    precisions: [bf16, fp8]\n    kv_precisions: [bf16, fp8]\n"


def test_a_chosen_one_that_is_not_the_cheapest_is_among_them_all_the_same():
    """Whole replicas: a small load is served best by what is dear a token at full load."""
    text = changed(
        TWO_SITES,
        ("requests_per_s: 25", "requests_per_s: 0.1"),
        ("requests_per_s: 40", "requests_per_s: 0.1"),
        ("tpot_ms: 40", "tpot_ms: 14"),
        ("tp: [1, 2], batch: [64, 256]", "tp: [1, 2, 4, 8], batch_tokens: [512, 2048, 8192]"),
        ("    objective:", FORMATS + "    objective:"),
    )
    found, plan = explained(text)
    main = max(plan.placements, key=lambda p: sum(p.requests_per_s_by_hour))
    (own,) = [c for c in found.configurations if c.why == "serves"]
    assert own.configuration == main.configuration
    assert len(found.configurations) == 8


def test_replicas_whose_workers_are_apart_are_told_as_that():
    text = """\
name: apart
sites:
  ashburn:
    metro: washington
    power: [{usd_per_mwh: 80}]
    pools:
      - {accelerator: h200-sxm, nodes: 8, engine: sglang}
models:
  r1:
    config: deepseek-ai/DeepSeek-R1
    objective: {ttft_ms: 3000, tpot_ms: 25}
    price_per_mtok: {input: 0.5, output: 2}
demand:
  - {model: r1, metros: [new-york], requests_per_s: 8,
     lengths: {input_tokens: 4000, output_tokens: 500}}
planning: {tp: [8], attention_dp: [1, 8], pp: [1], drafts: [0], workers: 2}
"""
    ground = ground_of(read(text), CATALOG)
    plan = assemble(ground, placed_on(ground))
    main = max(plan.placements, key=lambda p: sum(p.requests_per_s_by_hour))
    assert main.prefill is not None
    found = explain_model(ground, plan, "r1")
    (own,) = [c for c in found.configurations if c.why == "serves"]
    assert own.configuration == main.configuration
    assert own.prefill == main.prefill.configuration
    assert own.accelerators == main.accelerators_per_replica
    assert any(c.prefill is None for c in found.configurations)


def test_the_market_stands_beside_it():
    found, plan = explained(TWO_SITES)
    asked = market_price(CATALOG, "meta-llama/Meta-Llama-3.1-8B", 1000, 200)
    assert found.market is not None and asked is not None
    assert float(found.market.median) == pytest.approx(float(asked.median))
    assert found.market.low < found.market.median < found.market.high
    assert found.market.providers > 10
    assert found.summary == plan.models[0]
    assert found.currency == "USD"


def test_a_model_that_the_plan_has_not_is_refused():
    ground, _, plan = solved(TWO_SITES)
    with pytest.raises(KeyError):
        explain_model(ground, plan, "gpt")
