"""What makes a cloud infeasible is named, and the changes that are told make it feasible."""

from __future__ import annotations

import re

import pytest
import yaml

from neocloud.planner import Change, InfeasibleError, SolverError, make_plan
from neocloud.spec.load import parse_cloud

from .clouds import CATALOG, TWO_SITES, at_site, changed, plan_of, read


def infeasible(text: str) -> InfeasibleError:
    with pytest.raises(InfeasibleError) as caught:
        make_plan(read(text), CATALOG)
    return caught.value


def applied(text: str, changes: tuple[Change, ...]) -> str:
    """The file with each figure in its place; pools are found by name, contracts by number."""
    document = yaml.safe_load(text)
    for change in changes:
        place = document
        *path, last = change.path.split(".")
        for part in path:
            if isinstance(place, list):
                place = (
                    place[int(part)]
                    if part.isdigit()
                    else next(p for p in place if part in (p.get("name"), p["accelerator"]))
                )
            else:
                place = place.setdefault(part, {})
        place[last] = int(change.value) if change.value == int(change.value) else change.value
    return yaml.safe_dump(document)


FAR = changed(
    TWO_SITES, ("metros: [berlin]", "metros: [sydney]"), ("ttft_ms: 1000", "ttft_ms: 250")
)
MANY = changed(TWO_SITES, ("requests_per_s: 25", "requests_per_s: 900"))


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (at_site("frankfurt", "capacity_mw: 0.1", "capacity_mw: 0"),
         {"sites.frankfurt.power.0.capacity_mw"}),
        (MANY, {"sites.frankfurt.pools.h100-sxm.nodes"}),
        (at_site("frankfurt", "capacity_mw: 0.1", "capacity_mw: 0.001", MANY),
         {"sites.frankfurt.pools.h100-sxm.nodes", "sites.frankfurt.power.0.capacity_mw"}),
        (at_site("frankfurt", "    pools:", "    cooling_mw: 0.0005\n    pools:"),
         {"sites.frankfurt.cooling_mw"}),
        (at_site("frankfurt", "    pools:",
                 "    power_ladder: [{date: 2026-01-01, active_mw: 0.0005}]\n    pools:"),
         {"sites.frankfurt.power_ladder.0.active_mw"}),
        (FAR, {"models.llama.objective.ttft_ms"}),
        (changed(TWO_SITES, ("tpot_ms: 40", "tpot_ms: 3")), {"models.llama.objective.tpot_ms"}),
        (changed(TWO_SITES, ("ttft_ms: 1000, tpot_ms: 40", "ttft_ms: 20, tpot_ms: 3")),
         {"models.llama.objective.ttft_ms", "models.llama.objective.tpot_ms"}),
        (changed(TWO_SITES, ("planning: {", "planning: {carbon_cap_t_per_year: 0.5, ")),
         {"planning.carbon_cap_t_per_year"}),
        (changed(TWO_SITES, ("    objective:", "    min_sites: 3\n    objective:")),
         {"models.llama.min_sites"}),
    ],
    ids=["power", "nodes", "nodes and power", "cooling", "active", "ttft", "tpot", "both",
         "carbon", "sites"],
)  # fmt: skip
def test_applied_the_least_change_makes_it_feasible(text: str, paths: set[str]):
    error = infeasible(text)
    assert {c.path for c in error.changes} == paths
    make_plan(parse_cloud(applied(text, error.changes), "cloud.yaml", CATALOG), CATALOG)


@pytest.mark.parametrize("limit", ["nodes", "capacity_mw", "ttft_ms", "tpot_ms"])
def test_nine_tenths_of_the_change_are_not_enough(limit: str):
    """Of what is missing, whole nodes apart; objectives are found on a grid of loads."""
    text = {
        "nodes": MANY,
        "capacity_mw": at_site("frankfurt", "capacity_mw: 0.1", "capacity_mw: 0.0001"),
        "ttft_ms": FAR,
        "tpot_ms": changed(TWO_SITES, ("tpot_ms: 40", "tpot_ms: 3")),
    }[limit]
    (change,) = infeasible(text).changes
    start = {"nodes": 1.0, "capacity_mw": 0.0001, "ttft_ms": 250.0, "tpot_ms": 3.0}[limit]
    less = change.value - 1 if limit == "nodes" else start + 0.9 * (change.value - start)
    smaller = (Change(path=change.path, value=less, unit=change.unit),)
    infeasible(applied(text, smaller))


def test_weights_that_fit_nowhere_are_told_as_that():
    text = changed(TWO_SITES, ("Meta-Llama-3.1-8B", "Meta-Llama-3.1-405B"))
    error = infeasible(text)
    assert error.changes == ()
    assert "No objective helps" in str(error)


def test_a_pool_that_nothing_measured_stands_behind_is_told():
    tpu = at_site(
        "ashburn",
        "{accelerator: h100-sxm, nodes: 1}",
        "{accelerator: gaudi-3, nodes: 1, capex_usd: 1}",
    )
    error = infeasible(changed(tpu, ("[new-york]", "[sydney]"), ("ttft_ms: 1000", "ttft_ms: 100")))
    assert any("ashburn/gaudi-3 is left out" in reason for reason in error.reasons)


def test_no_megawatts_is_infeasible_and_says_which_line():
    text = at_site("frankfurt", "capacity_mw: 0.1", "capacity_mw: 0")
    line = text.splitlines().index("      - {usd_per_mwh: 80, capacity_mw: 0}")  # of `power:`
    with pytest.raises(InfeasibleError) as caught:
        plan_of(text)
    (reason,) = caught.value.reasons
    assert reason.startswith(f"cloud.yaml:{line}: power at frankfurt binds: ")
    assert "give 0 MW" in reason
    assert "Raise capacity_mw" in reason
    needed = float(reason.split(" MW more")[0].rsplit(" ", 1)[1])
    # What it says is enough, and a tenth less is not.
    plan_of(at_site("frankfurt", "capacity_mw: 0.1", f"capacity_mw: {needed * 1.01}"))
    with pytest.raises(InfeasibleError):
        plan_of(at_site("frankfurt", "capacity_mw: 0.1", f"capacity_mw: {needed * 0.9}"))


def test_too_few_accelerators_are_named_with_their_number():
    text = changed(TWO_SITES, ("requests_per_s: 25", "requests_per_s: 300"))
    with pytest.raises(InfeasibleError) as caught:
        plan_of(text)
    (reason,) = caught.value.reasons
    assert "pool frankfurt/h100-sxm binds: it holds 1 node to plan on and " in reason
    more = int(re.search(r" and (\d+) more (is|are) needed", reason)[1])
    (change,) = caught.value.changes
    assert change.path == "sites.frankfurt.pools.h100-sxm.nodes"
    assert change.value == 1 + more
    enough = at_site("frankfurt", "nodes: 1", f"nodes: {1 + more}", text)
    plan_of(enough)
    with pytest.raises(InfeasibleError):
        plan_of(at_site("frankfurt", "nodes: 1", f"nodes: {more}", text))


def test_users_too_far_away_bind_the_objective():
    far = changed(
        TWO_SITES, ("metros: [berlin]", "metros: [sydney]"), ("ttft_ms: 1000", "ttft_ms: 250")
    )
    line = 1 + far.splitlines().index("    objective: {ttft_ms: 250, tpot_ms: 40}")
    with pytest.raises(InfeasibleError) as caught:
        plan_of(far)
    (reason,) = caught.value.reasons
    assert reason.startswith(f"cloud.yaml:{line}: the objective of llama binds")
    assert "sydney" in reason
    assert "ms to frankfurt" in reason


def test_an_objective_that_nothing_reaches_says_how_near_it_came():
    with pytest.raises(InfeasibleError) as caught:
        plan_of(changed(TWO_SITES, ("tpot_ms: 40", "tpot_ms: 3")))
    (reason,) = caught.value.reasons
    assert "a tpot of " in reason
    assert "(objective 3)" in reason


def test_infeasible_stays_infeasible_where_the_least_is_not_found(monkeypatch):
    def late(_):
        raise SolverError("no time")

    monkeypatch.setattr("neocloud.planner.infeasible.shortages", late)
    error = infeasible(MANY)
    assert "not found in the time" in str(error)
    assert error.changes == ()
