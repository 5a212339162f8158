"""The emulated replicas of a plan."""

from __future__ import annotations

import hashlib

import msgspec

from neocloud.catalog import Catalog
from neocloud.engines.emulated.answering import Engine
from neocloud.engines.emulated.clocked import ClockedReplica
from neocloud.engines.emulated.lengths import AnswerLengths
from neocloud.engines.emulated.pace import IdlingCost, Paced
from neocloud.perf import predictor_of
from neocloud.planner import Plan, lengths_of, placement_table
from neocloud.replica import limits_of
from neocloud.spec import Cloud


def fingerprint(plan: Plan) -> str:
    """`emulated-` and eight hexadecimal digits that stand for the plan."""
    digest = hashlib.sha256(msgspec.json.encode(plan)).hexdigest()
    return f"emulated-{digest[:8]}"


def build_engines(
    cloud: Cloud,
    catalog: Catalog,
    plan: Plan,
    *,
    max_queue: int,
    speed: float = 1.0,
    noise: float = 0.0,
    seed: int = 0,
) -> dict[str, Engine]:
    """Every replica of the plan whose engine is emulated, idle, by id in the plan's order.

    The step table is that of the plan: what the performance model says, without noise unless asked
    for.

    Args:
        cloud: the file that the plan was made from.
        catalog: figures of its accelerators and models.
        plan: what stands where.
        max_queue: requests that may wait in each replica; 0 for no bound.
        speed: steps pass so many times as fast as modelled.
        noise: standard deviation of the logarithm of a step's time.
        seed: of the noise; each replica has its own.
    """
    predictor = predictor_of(plan.calibration)
    lengths: dict[str, AnswerLengths] = {}
    engines: dict[str, Engine] = {}
    for placement in plan.placements:
        if placement.engine.kind != "emulated":
            continue
        model = placement.model
        if model not in lengths:
            lengths[model] = AnswerLengths(lengths_of(cloud, catalog, model))
        limits = msgspec.structs.replace(limits_of(placement), max_queue=max_queue)
        table = placement_table(cloud, catalog, placement, predictor)
        # A real engine does not start with a context that its KV cache cannot hold.
        held = limits.kv_blocks * limits.block_tokens
        architecture = cloud.models[model].architecture
        for replica_id in placement.replica_ids():
            steps: IdlingCost = table
            if speed != 1.0 or noise:
                steps = Paced(table, speed, noise, f"{seed}/{replica_id}")
            engines[replica_id] = Engine(
                replica=ClockedReplica(model, limits, steps),
                lengths=lengths[model],
                max_context=min(architecture.max_context, held),
                dimensions=architecture.hidden,
            )
    return engines
