"""Layout of `deepseek_r1_serving.csv`: DeepSeek-R1 by InferenceX, aggregated and disaggregated."""

from __future__ import annotations

from neocloud.calibration import names
from neocloud.calibration.fields import Fields, flag, number, optional, whole, year
from neocloud.calibration.records import Case, Measured, Mode, RowError, Table
from neocloud.catalog import Catalog
from neocloud.perf import Configuration

MEAN_OF_NOMINAL = 0.9
"""Requests' lengths lie over 80 to 100 per cent of the nominal one in InferenceX."""
DRAFTS = 3
"""Tokens drafted where multi-token prediction is on: the number is not in the row."""
_SMALL = 4
"""Workers of so many accelerators whose parallelism is not stated run tensor-parallel attention, as
the same source's other rows of that size do; larger ones data-parallel."""
_MODEL = "deepseek-ai/DeepSeek-R1"


def case_of(catalog: Catalog, fields: Fields, name: str) -> Case:
    """Read a row.

    Raises:
        RowError: a field is missing or makes no sense.
    """
    engine, layer = names.engine_of(fields.get("engine", ""))
    accelerator = fields.get("accelerator", "")
    precision = names.precision_of(fields.get("precision", ""), _MODEL)
    disaggregated = flag(fields, "disaggregated")
    drafts = DRAFTS if fields.get("speculation", "").lower() == "mtp" else 0
    gpus = whole(fields, "gpus")
    decode, workers = _part(fields, "decode", accelerator, engine, precision, drafts, disaggregated)
    prefill, stations = None, 0
    if disaggregated:
        prefill, stations = _part(fields, "prefill", accelerator, engine, precision, 0, True)
        workers, stations = _settled(gpus, decode, workers, prefill, stations)
    else:
        workers = max(1, round(gpus / decode.accelerators))
    return Case(
        table=Table.DEEPSEEK,
        id=name,
        model=names.model_of(catalog, _MODEL),
        published=_MODEL,
        decode=decode,
        replicas=workers,
        prefill=prefill,
        prefill_replicas=stations,
        mode=Mode.DISAGGREGATED if disaggregated else Mode.CLOSED,
        inputs=number(fields, "isl") * MEAN_OF_NOMINAL,
        outputs=number(fields, "osl") * MEAN_OF_NOMINAL,
        concurrency=number(fields, "concurrency"),
        engine_layer=layer,
        release=f"{engine}:{fields['image']}" if fields.get("image") else "",
        year=year(fields),
        chosen=f"{DRAFTS} tokens drafted" if drafts else "",
    )


def _part(
    fields: Fields,
    part: str,
    accelerator: str,
    engine: str,
    precision: str,
    drafts: int,
    apart: bool,
) -> tuple[Configuration, int]:
    """One worker's configuration and how many there are."""
    workers = whole(fields, f"{part}_workers", 1)
    tp = whole(fields, f"{part}_tp", 1)
    ep = whole(fields, f"{part}_ep", 1)
    size = tp
    if apart:
        # The source counts a part's accelerators over its workers; tp 1 often means "not stated".
        size = max(tp, ep, round(whole(fields, f"{part}_gpus", tp) / workers))
    spread = flag(fields, f"{part}_dp_attention")
    if apart and tp == ep == 1 and size <= _SMALL:
        spread = False
    return (
        Configuration(
            accelerator=accelerator,
            tp=1 if spread else size,
            attention_dp=size if spread else 1,
            ep=max(1, ep),
            precision=precision,
            kv_precision="fp8" if engine == "trtllm" else "bf16",
            engine=engine,
            drafts=drafts,
            max_batch=1024,
        ),
        workers,
    )


def _settled(
    gpus: int, decode: Configuration, workers: int, prefill: Configuration, stations: int
) -> tuple[int, int]:
    """Workers such that all accelerators add up; the row's own numbers where they already do."""
    if workers * decode.accelerators + stations * prefill.accelerators == gpus:
        return workers, stations
    left = gpus - stations * prefill.accelerators
    if left > 0 and left % decode.accelerators == 0:
        return left // decode.accelerators, stations
    raise RowError(
        f"gpus {gpus} is not {stations} prefill workers of {prefill.accelerators} and "
        f"{workers} decode workers of {decode.accelerators}"
    )


def measured_of(fields: Fields) -> Measured:
    """What came out."""
    ttft, tpot = optional(fields, "ttft_median_ms"), optional(fields, "tpot_median_ms")
    return Measured(
        throughput=optional(fields, "total_tok_s_per_gpu"),
        ttft_s=None if ttft is None else ttft / 1e3,
        tpot_s=None if tpot is None else tpot / 1e3,
        power_w=optional(fields, "power_per_gpu_w"),
    )
