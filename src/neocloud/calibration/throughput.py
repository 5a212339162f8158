"""Layout of `throughput.csv`: offline and online results of many models and accelerators."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec

from neocloud.calibration import names
from neocloud.calibration.fields import Fields, number, optional, whole, year
from neocloud.calibration.records import Case, Measured, Mode, RowError, Table
from neocloud.catalog import Catalog
from neocloud.perf import Configuration

MOST_OFFLINE = 2048
"""Requests at once where all are queued: TensorRT-LLM's own default batch limit."""
_ONLINE_BATCH = 256
_RATE_BATCH = 1024
"""Rows at a rate held over 500 sequences at once without queueing."""
_WORKERS = re.compile(r"(\d+)P(\d+)D of TP(\d+) workers")
"""How a disaggregated row's note says its split: prefill and decode workers of one size."""
_AT_MOST = re.compile(r"output at most (\d+)")
_OF_LIMIT = 0.68
"""Mean answer over its limit: 348.7 of 512 tokens in the same source's rows under steady load."""


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
    offline = engine == "trtllm" and mode is Mode.OFFLINE
    version = fields.get("engine_version", "")
    found = Case(
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
            max_batch=_batch_limit(mode, asked, offline=offline),
        ),
        replicas=replicas,
        mode=mode,
        inputs=number(fields, "isl"),
        outputs=_outputs(fields, chosen),
        concurrency=asked,
        rate=rate,
        engine_layer=layer,
        release=f"{engine}:{version}" if version else "",
        year=year(fields),
        chosen="; ".join(chosen),
    )
    return _split(found, fields) if mode is Mode.DISAGGREGATED else found


def _batch_limit(mode: Mode, asked: float, *, offline: bool) -> int:
    """Sequences that may run at once: not stated, so what held the load that was measured."""
    if offline or asked > _ONLINE_BATCH:
        return MOST_OFFLINE
    return _RATE_BATCH if mode is Mode.RATE else _ONLINE_BATCH


def _split(case: Case, fields: Fields) -> Case:
    """Workers of a disaggregated row, from its note."""
    match = _WORKERS.search(fields.get("notes", ""))
    if match is None:
        raise RowError("disaggregated without its split into prefill and decode workers")
    stations, workers, tp = (int(text) for text in match.groups())
    worker = replace_configuration(case.decode, tp)
    return replace(
        case,
        decode=worker,
        replicas=workers,
        prefill=worker,
        prefill_replicas=stations,
    )


def replace_configuration(configuration: Configuration, tp: int) -> Configuration:
    """The same with another tensor parallelism and nothing else split."""
    return msgspec.structs.replace(configuration, tp=tp, attention_dp=1, pp=1, ep=1)


def _outputs(fields: Fields, chosen: list[str]) -> float:
    """Mean answer length; where only its limit is given, a share of it."""
    match = _AT_MOST.search(fields.get("notes", ""))
    if match is not None and not (fields.get("osl") or "").strip():
        limit = float(match.group(1))
        chosen.append(f"osl {limit * _OF_LIMIT:.0f}: only its limit is given")
        return limit * _OF_LIMIT
    return number(fields, "osl")


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
