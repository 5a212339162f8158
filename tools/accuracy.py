"""Predicted against measured: makes the tables of docs/accuracy.md.

The measured rows are not part of the repository. The folder that holds them is given as argument or
in NEOCLOUD_MEASURED; in it `nvidia_serving.csv` and `throughput.csv`, as their README describes.
Nothing is fitted here: the model's constants are those that neocloud.perf ships.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neocloud.catalog import Catalog, CatalogError, load_catalog
from neocloud.perf import (
    Configuration,
    ConfigurationError,
    DoesNotFitError,
    Load,
    NoParametersError,
    Prediction,
    predict,
)

PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
DETAILED = ("h100-sxm", "h200-sxm", "b200-sxm", "mi300x")
MOST_OFFLINE = 2048
"""Requests at once in an offline row, which says only that all were queued: what the KV cache
holds, and no more than this. TensorRT-LLM's own default of the time."""
NOMINAL = (1024, 8192)
"""Lengths of InferenceX, where requests are spread over 80 to 100 per cent of them."""
SPREAD_CV2 = 0.2**2 / 12.0 / 0.9**2

Row = Mapping[str, str]


class SkippedError(Exception):
    """A row that cannot be predicted; says why."""


@dataclass(frozen=True)
class Point:
    """One measured row and what the model says."""

    accelerator: str
    engine: str
    model: str
    mode: str
    throughput: float
    """Predicted over measured, output tokens per second and accelerator."""
    tpot: float | None
    ttft: float | None


@dataclass(frozen=True)
class Case:
    """A row in the model's own terms."""

    model: str
    configuration: Configuration
    load: Load
    concurrency: int
    mode: str


def main(arguments: Sequence[str]) -> int:
    """Predict every row and write the tables into the page."""
    given = arguments[0] if arguments else os.environ.get("NEOCLOUD_MEASURED")
    if not given or not Path(given).is_dir():
        print("Give the folder of measured rows: make accuracy MEASURED=FOLDER", file=sys.stderr)
        return 2
    points: list[Point] = []
    skipped: Counter[str] = Counter()
    catalog = load_catalog()
    for row, measure in rows(Path(given)):
        try:
            points.append(measure(catalog, row))
        except SkippedError as reason:
            skipped[str(reason)] += 1
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    PAGE.write_text(f"{head}{BEGIN}\n\n{tables(points, skipped)}\n{END}{tail}", encoding="utf-8")
    print(f"{len(points)} rows predicted, {sum(skipped.values())} not")
    return 0


class _Serving:
    """Rows of nvidia_serving.csv: closed loops of a fixed concurrency."""

    def __call__(self, catalog: Catalog, row: Row) -> Point:
        if row["attention_dp"] not in {"", "0", "1"}:
            raise SkippedError("data-parallel attention, which the model does not know yet")
        model = known_model(catalog, row["model"])
        asked = int(row["concurrency"] or row["batch_size"])  # the same with one attention rank
        case = Case(
            model=model,
            configuration=configuration(catalog, model, row, accelerators(row), asked),
            load=load_of(float(row["isl"]), float(row["osl"])),
            concurrency=asked,
            mode="serving",
        )
        ttft, tpot = float(row["ttft_ms"]), float(row["tpot_ms"])
        return compare(catalog, row, case, ttft, tpot, None)


class _Throughput:
    """Rows of throughput.csv: offline runs and loops of a fixed concurrency."""

    def __call__(self, catalog: Catalog, row: Row) -> Point:
        if row["mode"] == "disaggregated" or row["request_rate"]:
            raise SkippedError("disaggregated, or offered at a rate")
        if not row["isl"] or not row["osl"]:
            raise SkippedError("lengths not stated")
        if row["pp"] not in {"", "1"} or row["dp"] not in {"", "1"}:
            raise SkippedError("pipeline or data parallel")
        tp = row["tp"] or row["n_gpus"]
        if tp != row["n_gpus"] or int(tp) > 8:
            raise SkippedError("several replicas, or more than a node")
        model = known_model(catalog, row["config"].replace("__", "/"))
        asked = int(float(row["concurrency"])) if row["concurrency"] else MOST_OFFLINE
        case = Case(
            model=model,
            configuration=configuration(catalog, model, row, int(tp), asked),
            load=Load(input_tokens=float(row["isl"]), output_tokens=float(row["osl"])),
            concurrency=asked,
            mode="serving" if row["concurrency"] else "offline",
        )
        ttft = float(row["ttft_ms"]) if row["ttft_ms"] and row["concurrency"] else None
        tpot = float(row["tpot_ms"]) if row["tpot_ms"] and row["concurrency"] else None
        rate = float(row["output_tok_s_per_gpu"]) if row["output_tok_s_per_gpu"] else None
        return compare(catalog, row, case, ttft, tpot, rate)


Measure = _Serving | _Throughput


def rows(folder: Path) -> Iterator[tuple[Row, Measure]]:
    """All measured rows with how to read them."""
    for name, measure in (("nvidia_serving.csv", _Serving()), ("throughput.csv", _Throughput())):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row, measure


def known_model(catalog: Catalog, published: str) -> str:
    """Catalog name of a published one.

    A checkpoint that only differs in training or number format has the same architecture.
    """
    name = published.rpartition("/")[2].removesuffix("-Instruct-FP8").removesuffix("-Instruct")
    for known in catalog.architecture_names():
        if known.rpartition("/")[2].removeprefix("Meta-") == name.removeprefix("Meta-"):
            return known
    raise SkippedError("a model that the catalog does not hold")


def accelerators(row: Row) -> int:
    """Accelerators of a row; its README tells of rows that state their square."""
    tp, moe_tp, moe_ep = int(row["tp"]), int(row["moe_tp"] or 1), int(row["moe_ep"] or 1)
    if moe_tp == moe_ep > 1 and tp == moe_tp * moe_ep:
        return moe_tp
    return max(tp, moe_tp * moe_ep)


def configuration(
    catalog: Catalog, model: str, row: Row, tp: int, concurrency: int
) -> Configuration:
    """How the row's replica runs the model, as far as the row says."""
    precision = {"": "bf16", "bf16": "bf16", "fp16": "bf16", "fp8": "fp8"}.get(row["precision"])
    if catalog.architecture(model).checkpoint_precision == "mxfp4":
        precision = "mxfp4"  # gpt-oss has these weights under any label
    if precision is None:
        raise SkippedError("weights in int4, int8 or NVFP4, which the model does not know")
    return Configuration(
        accelerator=row["accelerator"], tp=tp, precision=precision, max_batch=concurrency
    )


def load_of(isl: float, osl: float) -> Load:
    """Lengths of a closed loop."""
    if isl in NOMINAL and osl in NOMINAL:
        return Load(input_tokens=0.9 * isl, output_tokens=0.9 * osl, input_cv2=SPREAD_CV2)
    return Load(input_tokens=isl, output_tokens=osl)


def compare(
    catalog: Catalog,
    row: Row,
    case: Case,
    ttft_ms: float | None,
    tpot_ms: float | None,
    output_tok_s: float | None,
) -> Point:
    """Predict a case and set it beside what was measured."""
    p = predicted(catalog, case)
    tokens, tp = case.load.output_tokens, case.configuration.tp
    if output_tok_s is None:
        if ttft_ms is None or tpot_ms is None:
            raise SkippedError("neither throughput nor both latencies measured")
        stay_s = (ttft_ms + tpot_ms * (tokens - 1.0)) / 1e3
        output_tok_s = case.concurrency * tokens / stay_s / tp
    return Point(
        accelerator=row["accelerator"],
        engine=row["engine"],
        model=case.model.rpartition("/")[2].removeprefix("Meta-"),
        mode=case.mode,
        throughput=p.output_tok_s_per_accelerator / output_tok_s,
        tpot=None if not tpot_ms else p.tpot_ms / tpot_ms,
        ttft=None if not ttft_ms else p.ttft_ms / ttft_ms,
    )


def predicted(catalog: Catalog, case: Case) -> Prediction:
    """The model's answer."""
    try:
        return predict(
            catalog.architecture(case.model),
            catalog.accelerator(case.configuration.accelerator),
            case.configuration,
            case.load,
            case.concurrency,
        )
    except DoesNotFitError:
        raise SkippedError("does not fit by the model, but ran") from None
    except (CatalogError, NoParametersError):
        raise SkippedError("an accelerator that the model does not know") from None
    except ConfigurationError:
        raise SkippedError("a configuration that the model does not allow") from None


def tables(points: Sequence[Point], skipped: Counter[str]) -> str:
    """The page's tables."""
    serving = [p for p in points if p.mode == "serving"]
    offline = [p for p in points if p.mode == "offline"]
    engines = ("trtllm", "vllm", "sglang")
    models = sorted({p.model for p in points if p.accelerator in DETAILED})
    parts = [
        f"{len(points):,} rows: {len(serving):,} at a fixed concurrency, {len(offline):,} offline.",
        "### In all",
        _table(
            [
                ("at a fixed concurrency", serving),
                *((f"of them {e}", [p for p in serving if p.engine == e]) for e in engines),
                ("offline", offline),
            ],
            "which",
        ),
        "### By accelerator, at a fixed concurrency",
        _table(
            [
                (a, [p for p in serving if p.accelerator == a])
                for a in sorted({p.accelerator for p in serving})
            ],
            "accelerator",
        ),
        "### By accelerator, engine and model, at a fixed concurrency",
        _detail(serving, engines, models),
        "### By accelerator and model, offline",
        _detail(offline, ("trtllm", "vllm"), models),
        "### Not predicted",
        "| why | rows |\n| --- | --- |\n"
        + "\n".join(f"| {why} | {n} |" for why, n in skipped.most_common()),
    ]
    return "\n\n".join(parts) + "\n"


def _detail(points: Sequence[Point], engines: Sequence[str], models: Sequence[str]) -> str:
    groups = [
        (f"{a} | {e} | {m}", [p for p in points if (p.accelerator, p.engine, p.model) == (a, e, m)])
        for a in DETAILED
        for e in engines
        for m in models
    ]
    return _table(
        [(name, group) for name, group in groups if group], "accelerator | engine | model"
    )


def _table(groups: Sequence[tuple[str, Sequence[Point]]], first: str) -> str:
    """A line a group: rows, then median error, that of nine in ten, and bias."""
    shown = [
        (label, name)
        for label, name in (("throughput", "throughput"), ("TPOT", "tpot"), ("TTFT", "ttft"))
        if any(getattr(p, name) is not None for _, group in groups for p in group)
    ]
    head = f"| {first} | rows | " + " | ".join(
        f"{label}: median | nine in ten | bias" for label, _ in shown
    )
    lines = [head + " |", "|" + " --- |" * head.count("|")]
    for name, group in groups:
        cells = [c for _, column in shown for c in _errors([getattr(p, column) for p in group])]
        lines.append(f"| {name} | {len(group)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _errors(ratios: Sequence[float | None]) -> tuple[str, str, str]:
    """Median and 90th percentile of |predicted / measured - 1|, and the median of the ratio."""
    known = np.array([r for r in ratios if r is not None], dtype=np.float64)
    if not len(known):
        return "", "", ""
    error = np.abs(known - 1.0)
    return (
        f"{np.median(error):.0%}",
        f"{np.quantile(error, 0.9):.0%}",
        f"{np.median(known) - 1.0:+.0%}",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
