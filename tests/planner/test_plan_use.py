"""What later verbs take from a plan: its file, its activity, its replicas and what they take."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from neocloud.activity import Purpose
from neocloud.perf import step_table
from neocloud.planner import (
    Plan,
    PlanFileError,
    capacity,
    lengths_of,
    make_plan,
    placement_table,
    plan_schema,
    planned_activity,
    read_plan,
    write_plan,
)
from neocloud.spec import load_cloud

from .clouds import CATALOG, TWO_SITES, changed, plan_of, read

EXAMPLE = Path(__file__).parents[2] / "examples" / "two-sites" / "cloud.yaml"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of(TWO_SITES)


@pytest.fixture(scope="module")
def example() -> Plan:
    return make_plan(load_cloud(EXAMPLE, CATALOG), CATALOG)


def test_a_plan_survives_its_file(plan: Plan, tmp_path: Path):
    path = tmp_path / "plan.json"
    write_plan(plan, path)
    assert read_plan(path) == plan
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]
    document = json.loads(path.read_bytes())
    schema = plan_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    del document["placements"][0]["curve"]
    with pytest.raises(jsonschema.ValidationError, match="curve"):
        jsonschema.validate(document, schema)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file.*neocloud plan"),
        (b"{", "not a plan"),
        (b'{"cloud": "x"}', "not a plan of schema neocloud.plan/2"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content, message):
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PlanFileError, match=message) as caught:
        read_plan(path)
    assert str(path) in str(caught.value)


def test_a_plan_of_another_version_is_refused(plan: Plan, tmp_path: Path):
    path = tmp_path / "plan.json"
    write_plan(msgspec.structs.replace(plan, schema="neocloud.plan/9"), path)
    with pytest.raises(PlanFileError, match=r"schema neocloud.plan/9, this version reads"):
        read_plan(path)


def test_planned_activity_sums_to_the_plan(example: Plan):
    rows = planned_activity(example)
    for m in example.models:
        mine = [r for r in rows if r.model == m.model]
        requests = sum(r.requests for r in mine)
        # A row is a whole number of requests an hour, so each may be half a request off.
        assert requests == pytest.approx(m.requests_per_day, abs=len(mine) / 2)
        assert sum(r.input_tokens for r in mine) == pytest.approx(
            requests * m.input_tokens_per_request, rel=1e-6
        )
        tokens = sum(r.input_tokens + r.output_tokens for r in mine)
        assert tokens == pytest.approx(m.tokens_per_day, rel=1e-4)
        within = sum(r.within_objective for r in mine)
        assert within == pytest.approx(0.9 * requests, rel=1e-3)
    held = [r for r in rows if r.purpose == Purpose.INFERENCE]
    accelerators = sum(p.accelerators for p in example.placements)
    assert sum(r.allocated_accelerator_s for r in held) == accelerators * 86_400
    assert all(0 <= r.busy_accelerator_s <= r.allocated_accelerator_s for r in held)
    spent = sum(
        r.energy_kwh * next(p.rates.power_per_kwh for p in example.placements if p.site == r.site)
        for r in held
    )
    assert spent == pytest.approx(24 * example.cost_per_hour.power)
    by_tenant = {f.tenant for f in example.flows}
    assert {r.tenant for r in rows if r.requests} == by_tenant


def test_replica_ids_are_unique_and_count_on(example: Plan):
    ids = [i for p in example.placements for i in p.replica_ids()]
    assert len(set(ids)) == len(ids) == sum(p.replicas for p in example.placements)
    assert all(i.split("/")[:3] == [p.site, p.pool, p.model]
               for p in example.placements for i in p.replica_ids())  # fmt: skip


def test_the_engine_is_started_as_planned(plan: Plan):
    p = plan.placements[0]
    arguments = dict(zip(p.engine.arguments[2::2], p.engine.arguments[3::2], strict=False))
    assert p.engine.arguments[:2] == ("serve", "meta-llama/Meta-Llama-3.1-8B")
    assert arguments["--served-model-name"] == "llama"
    assert arguments["--tensor-parallel-size"] == str(p.configuration.tp)
    assert arguments["--max-num-seqs"] == str(p.configuration.max_batch)
    assert arguments["--max-num-batched-tokens"] == str(p.configuration.batch_tokens)


def test_capacity_and_table_are_those_of_the_search(plan: Plan):
    cloud = read(TWO_SITES)
    for p in plan.placements:
        load = lengths_of(cloud, CATALOG, p.model).load(90.0)
        assert capacity(cloud, CATALOG, p, load) == pytest.approx(p.max_requests_per_s)
        twice = msgspec.structs.replace(load, output_tokens=2 * load.output_tokens)
        assert 0 < capacity(cloud, CATALOG, p, twice) < p.max_requests_per_s
        llama, h100 = cloud.models["llama"].architecture, CATALOG.accelerator("h100-sxm")
        expected = step_table(llama, h100, p.configuration, load)
        assert placement_table(cloud, CATALOG, p).data == expected.data


def test_a_hopeless_load_has_no_capacity(plan: Plan):
    cloud = read(changed(TWO_SITES, ("tpot_ms: 40", "tpot_ms: 1")))
    load = lengths_of(cloud, CATALOG, "llama").load(90.0)
    assert capacity(cloud, CATALOG, plan.placements[0], load) == 0.0
