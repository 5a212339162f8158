"""What `neocloud predict` prints."""

from __future__ import annotations

from pathlib import Path

import click

from neocloud.calibration import RowsReport
from neocloud.cli.tables import console, significant, table
from neocloud.perf import Interval, Memory, Prediction, StepTerms

_MEASURED = (
    ("output tokens/s per accelerator", "output_tok_s_per_accelerator", ""),
    ("all tokens/s per accelerator", "total_tok_s_per_accelerator", ""),
    ("time to first token", "ttft_ms", "ms"),
    ("time per output token", "tpot_ms", "ms"),
    ("energy per output token, modelled", "joules_per_output_token", "J"),
)
_BAR = 40


def show_prediction(p: Prediction) -> None:
    """Print one prediction as tables."""
    c = p.configuration
    layout = "".join(
        f", {name} {value}"
        for name, value, usual in (
            ("tp", c.tp, 0), ("pp", c.pp, 1), ("attention dp", c.attention_dp, 1), ("ep", c.ep, 1),
            ("drafts", c.drafts, 0),
        )
        if value != usual
    )  # fmt: skip
    console().print(
        table(
            f"{p.model} on {c.accelerators} x {c.accelerator}, {c.precision}, "
            f"{p.concurrency} at once, {p.load.input_tokens:g} in, {p.load.output_tokens:g} out\n"
            f"{c.engine}{layout}, KV cache in {c.kv_precision}",
            [("", ""), ("", "right"), ("", ""), ("half within", "right"),
             ("nine in ten within", "right"), ("physics alone", "right")],
            [
                *(_row(p, *given) for given in _MEASURED),
                ["power per accelerator, modelled", significant(p.watts_per_accelerator), "W", "",
                 "", ""],
                ["sequences generating", f"{p.decode_batch:,.1f}", "", "", "", ""],
            ],
        )
    )  # fmt: skip
    _show_terms(f"One decode step (roofline {p.roofline_decode_ms:,.2f} ms)", p.decode_step)
    _show_terms("One prompt alone", p.prefill_step)
    _show_memory(p.memory)
    click.echo(
        f"What stands behind it: {p.nearness} ({p.explained:.0%} of the physics' error explained). "
        "Energy's interval is throughput's at the modelled power. docs/accuracy.md shows how near "
        "predictions come to measured results."
    )


def _row(p: Prediction, name: str, field: str, unit: str) -> list[str]:
    value = _number(getattr(p, field))
    half, most = "", ""
    if p.intervals is not None:
        found: Interval = getattr(p.intervals, field)
        half = f"{_number(found.low_50)} to {_number(found.high_50)}"
        most = f"{_number(found.low_90)} to {_number(found.high_90)}"
    return [name, value, unit, half, most, _number(getattr(p.physics, field))]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000.0 else significant(value)


def _show_terms(title: str, t: StepTerms) -> None:
    terms = {
        "weights": t.weights,
        "KV cache": t.kv_read,
        "prompt attention": t.prefill_attention,
        "collectives": t.collectives,
        "launches": t.floor,
        "host": t.host,
    }
    rows = [
        [name, f"{seconds * 1e3:.2f}", "█" * round(_BAR * seconds / t.total)]
        for name, seconds in terms.items()
        if seconds > 0
    ]
    console().print(
        table(f"{title}: {t.total * 1e3:.2f} ms", [("", ""), ("ms", "right"), ("", "")], rows)
    )


def _show_memory(m: Memory) -> None:
    parts = ("capacity", "weights", "activations", "reserve", "kv_cache")
    console().print(
        table(
            "Memory of one accelerator, GB",
            [(name.replace("kv_cache", "KV"), "right") for name in parts]
            + [("KV tokens of the replica", "right")],
            [[*(f"{getattr(m, name) / 1e9:.1f}" for name in parts), f"{m.replica_kv_tokens:,}"]],
        )
    )


def show_rows(report: RowsReport, source: Path, target: Path) -> None:
    """Say what became of the rows of a file."""
    refused = sum(report.refused.values())
    click.echo(f"{source}: layout {report.table}; {report.predicted:,} rows predicted, "
               f"{refused:,} refused.")  # fmt: skip
    for reason, count in sorted(report.refused.items(), key=lambda item: (-item[1], item[0])):
        click.echo(f"  {count:,}: {reason}")
    click.echo(f"Predictions: {target}")
