"""Layout of `nvidia_serving.csv`: closed loops of a fixed concurrency, aggregated."""

from __future__ import annotations

import math

from neocloud.calibration import names
from neocloud.calibration.deepseek import MEAN_OF_NOMINAL
from neocloud.calibration.fields import Fields, number, optional, whole, year
from neocloud.calibration.records import Case, Measured, Mode, Table
from neocloud.catalog import Catalog
from neocloud.perf import Configuration

_NOMINAL = {1024.0, 8192.0}


def case_of(catalog: Catalog, fields: Fields, name: str) -> Case:
    """Read a row.

    Raises:
        RowError: a field is missing or makes no sense.
    """
    published = fields.get("model", "")
    model = names.model_of(catalog, published)
    engine, layer = names.engine_of(fields.get("engine", ""))
    precision = names.precision_of(fields.get("precision", ""), model)
    tp, ranks, ep = parallelism(fields)
    chosen = ""
    if catalog.architecture(model).query_heads % tp:
        chosen = f"attention over {tp} accelerators data-parallel: tp does not divide the heads"
        tp, ranks, ep = 1, tp, tp
    inputs, outputs = number(fields, "isl"), number(fields, "osl")
    scale = MEAN_OF_NOMINAL if {inputs, outputs} <= _NOMINAL else 1.0
    asked = number(fields, "concurrency", 0.0)
    if not asked:
        asked = number(fields, "batch_size") * ranks
    version = fields.get("engine_version", "")
    return Case(
        table=Table.NVIDIA,
        id=fields.get("id") or name,
        model=model,
        published=published,
        decode=Configuration(
            accelerator=fields.get("accelerator", ""),
            tp=tp,
            attention_dp=ranks,
            pp=whole(fields, "pp", 1),
            ep=ep,
            precision=precision,
            kv_precision="fp8" if engine == "trtllm" and precision != "bf16" else "bf16",
            engine=engine,
            max_batch=1024,
        ),
        replicas=1,
        mode=Mode.CLOSED,
        inputs=inputs * scale,
        outputs=outputs * scale,
        concurrency=asked,
        engine_layer=layer,
        release=f"{engine}:{version}" if version else "",
        year=year(fields),
        chosen=chosen,
    )


def parallelism(fields: Fields) -> tuple[int, int, int]:
    """(tp, attention_dp, ep). Some rows write squares; what they mean was inferred from speed.

    - experts over n x n and tp or attention_dp of n^2: n accelerators;
    - attention_dp = tp and experts over tp^2: one group of tp, data-parallel attention;
    - no attention_dp and experts over more than tp: that many accelerators, tp of which share
      attention;
    - a batch a rank of concurrency / n with experts over n = tp: data-parallel attention.
    """
    tp, ranks = whole(fields, "tp", 1), whole(fields, "attention_dp", 1)
    moe_tp, ep = whole(fields, "moe_tp", 1), whole(fields, "moe_ep", 1)
    stated = (fields.get("attention_dp") or "").strip() not in {"", "0"}
    batch, asked = number(fields, "batch_size", 0.0), number(fields, "concurrency", 0.0)
    side = math.isqrt(max(tp, ranks))
    if moe_tp == ep == side > 1 and side * side == max(tp, ranks) and min(tp, ranks) == 1:
        return (side, 1, ep) if tp > 1 else (1, side, ep)
    if ranks == tp > 1 and ep == tp * tp:
        return 1, tp, tp
    if not stated:
        whole_group = moe_tp * ep
        if batch and asked and round(asked / batch) == tp == whole_group > 1:
            return 1, tp, ep
        if whole_group > tp:
            return whole_group, 1, ep
    return tp, ranks, ep


def measured_of(fields: Fields, case: Case) -> Measured:
    """What came out; throughput follows from the closed loop."""
    ttft, tpot = optional(fields, "ttft_ms"), optional(fields, "tpot_ms")
    if ttft is None or tpot is None:
        return Measured()
    whole_s = (ttft + tpot * (case.outputs - 1.0)) / 1e3
    rate = case.concurrency / whole_s
    return Measured(
        throughput=rate * (case.inputs + case.outputs) / case.accelerators,
        ttft_s=ttft / 1e3,
        tpot_s=tpot / 1e3,
    )
