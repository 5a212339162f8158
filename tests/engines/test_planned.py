"""A plan's own command, started with a fake that behaves like vLLM: no real one runs here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from neocloud.catalog import load_catalog
from neocloud.engines import EngineStartError, free_port, started
from neocloud.engines.sglang import sglang_start
from neocloud.engines.vllm import vllm_start
from neocloud.planner import Placement, make_plan
from neocloud.planner.flags import NodeCommand
from neocloud.spec import load_cloud

from .asking import run
from .starting import FAKE

CLOUD = Path(__file__).with_name("cloud.yaml")
REPLICA = "frankfurt/h100-sxm/llama/0"


@cache
def placement(engine: str) -> Placement:
    catalog = load_catalog()
    with TemporaryDirectory() as folder:
        path = Path(folder, "cloud.yaml")
        path.write_text(CLOUD.read_text().replace("engine: emulated", f"engine: {engine}"))
        return make_plan(load_cloud(path, catalog), catalog).placements[0]


def test_vllm_is_told_what_the_plan_says_and_what_it_leaves_open(tmp_path):
    told = tmp_path / "told"
    planned = placement("vllm")
    port = free_port()
    devices = tuple(range(4, 4 + planned.configuration.accelerators))
    start = vllm_start(planned, REPLICA, port=port, program=FAKE, devices=devices)
    start = msgspec.structs.replace(
        start,
        command=msgspec.structs.replace(
            start.command,
            environment=(*start.command.environment, ("FAKE_ENV", str(told))),
        ),
    )

    async def test() -> None:
        async with started(start) as engine:
            assert engine.endpoint.replica == REPLICA
            assert engine.endpoint.precision == planned.configuration.precision
            assert engine.endpoint.salt_field == "cache_salt"

    run(test)
    environment, arguments = json.loads(told.read_text())
    assert tuple(arguments) == (*planned.engine.arguments, "--port", str(port))
    assert environment["CUDA_VISIBLE_DEVICES"] == ",".join(map(str, devices))
    # The plan's 30 seconds are what it is given before it is killed.
    assert arguments[arguments.index("--shutdown-timeout") + 1] == "30"
    assert start.grace_s == 30


def test_vllm_without_a_time_to_drain_gets_one():
    planned = placement("vllm")
    arguments = list(planned.engine.arguments)
    place = arguments.index("--shutdown-timeout")
    del arguments[place : place + 2]
    planned = msgspec.structs.replace(
        planned, engine=msgspec.structs.replace(planned.engine, arguments=tuple(arguments))
    )
    start = vllm_start(planned, REPLICA, port=1, grace_s=12)
    assert start.command.arguments[-2:] == ("--shutdown-timeout", "12")
    assert start.grace_s == 12


def test_sglang_is_told_what_the_plan_says():
    planned = placement("sglang")
    start = sglang_start(planned, REPLICA, port=30_001, grace_s=20, log_path=Path("x.log"))
    assert start.command.arguments == (
        "sglang", *planned.engine.arguments, "--port", "30001",
    )  # fmt: skip
    assert start.command.log_path == Path("x.log")
    assert start.grace_s == 20
    assert start.endpoint.kind == "sglang"
    assert str(start.endpoint.address) == "127.0.0.1:30001"


def test_what_is_more_than_one_process_is_attached_not_started():
    planned = placement("vllm")
    spanning = msgspec.structs.replace(
        planned,
        engine=msgspec.structs.replace(
            planned.engine, more_nodes=(NodeCommand(arguments=("serve",)),)
        ),
    )
    for several in (spanning, msgspec.structs.replace(planned, workers=2)):
        with pytest.raises(EngineStartError, match=f"--upstream {REPLICA}=http://HOST:PORT"):
            vllm_start(several, REPLICA, port=1)
    with pytest.raises(EngineStartError, match="no replica of frankfurt/h100-sxm"):
        vllm_start(planned, "frankfurt/h100-sxm/llama/9999", port=1)
    wrong = tuple(range(planned.configuration.accelerators + 1))
    with pytest.raises(EngineStartError, match=f"not on {len(wrong)}"):
        vllm_start(planned, REPLICA, port=1, devices=wrong)
