"""Layout of `throughput.csv`: offline and online results of many models and accelerators."""

from __future__ import annotations

from neocloud.calibration import names
from neocloud.calibration.fields import Fields, number, optional, whole, year
from neocloud.calibration.records import Case, Measured, Mode, RowError, Table
from neocloud.catalog import Catalog
from neocloud.perf import Configuration

MOST_OFFLINE = 2048
"""Requests at once where all are queued: TensorRT-LLM's own default batch limit."""
_ONLINE_BATCH = 256


def case_of(catalog: Catalog, fields: Fields, name: str) -> Case:
    """Read a row.

    Raises:
        RowError: a field is missing or makes no sense.
    """
    published = fields.get("model", "")
    model = names.model_of(catalog, fields.get("config", ""), published)
    engine, layer = names.engine_of(fields.get("engine", ""))
    precision = names.precision_of(fields.get("precision", ""), model)
    gpus = whole(fields, "n_gpus")
    chosen: list[str] = []
    tp, pp, ranks = _parallelism(fields, gpus, chosen)
    replicas = max(1, gpus // (tp * pp * ranks))
    mode, asked, rate = _load(fields, replicas * ranks)
    if mode is Mode.DISAGGREGATED:
        raise RowError("disaggregated without its split into prefill and decode workers")
    offline = engine == "trtllm" and mode is Mode.OFFLINE
    version = fields.get("engine_version", "")
    return Case(
        table=Table.THROUGHPUT,
        id=fields.get("id") or name,
        model=model,
        published=published,
        decode=Configuration(
            accelerator=fields.get("accelerator", ""),
            tp=tp,
            attention_dp=ranks,
            pp=pp,
            ep=whole(fields, "ep", 1),
            precision=precision,
            kv_precision="fp8" if engine == "trtllm" and precision in {"fp8", "fp4"} else "bf16",
            engine=engine,
            max_batch=MOST_OFFLINE if offline or asked > _ONLINE_BATCH else _ONLINE_BATCH,
        ),
        replicas=replicas,
        mode=mode,
        inputs=number(fields, "isl"),
        outputs=number(fields, "osl"),
        concurrency=asked,
        rate=rate,
        engine_layer=layer,
        release=f"{engine}:{version}" if version else "",
        year=year(fields),
        chosen="; ".join(chosen),
    )


def _parallelism(fields: Fields, gpus: int, chosen: list[str]) -> tuple[int, int, int]:
    pp, ranks = whole(fields, "pp", 1), whole(fields, "dp", 1)
    stated = whole(fields, "tp", 0) if (fields.get("tp") or "").strip() else 0
    if stated and ranks > 1 and stated == ranks and gpus == stated * pp:
        return 1, pp, ranks  # tp counts the accelerators that attention data parallelism splits
    if stated:
        return stated, pp, ranks
    tp = max(1, min(gpus, 8) // (pp * ranks))
    if gpus > 1:
        chosen.append(f"tp {tp}: not stated")
    return tp, pp, ranks


def _load(fields: Fields, engines: int) -> tuple[Mode, float, float]:
    """(mode, requests in flight over the deployment, requests a second)."""
    mode = fields.get("mode", "")
    asked = optional(fields, "concurrency")
    rate = (fields.get("request_rate") or "").strip()
    if mode == "disaggregated":
        return Mode.DISAGGREGATED, asked or 1.0, 0.0
    if asked is not None:
        return (Mode.CLOSED, asked, 0.0)
    if mode == "offline" or rate in {"", "inf"}:
        return Mode.OFFLINE, float(MOST_OFFLINE * engines), 0.0
    return Mode.RATE, 0.0, number(fields, "request_rate")


def measured_of(fields: Fields) -> Measured:
    """What came out."""
    ttft, tpot = optional(fields, "ttft_ms"), optional(fields, "tpot_ms")
    return Measured(
        throughput=optional(fields, "total_tok_s_per_gpu"),
        ttft_s=None if ttft is None else ttft / 1e3,
        tpot_s=None if tpot is None else tpot / 1e3,
    )
