"""A report as text."""

from __future__ import annotations

from neocloud.books.comparison import Comparison, Report, Side
from neocloud.planner import CostByTier

_COLUMNS = ("planned", "expected", "metered")
_TIERS = ("power", "capital", "operations", "network")


def report_text(report: Report) -> str:
    """Lay a report out: one block a model, then what parts plan and ledger."""
    statuses = ", ".join(f"{n} {status}" for status, n in report.requests_by_status.items())
    lines = [
        f"{report.cloud}: planned against metered, {report.period}",
        f"{report.requests} requests in {report.seconds:.0f} s: {statuses}",
    ]
    if report.emulated:
        lines.append(
            "EMULATED: the performance model answered in place of accelerators; speed and energy "
            "are its own."
        )
    if report.energy_modelled:
        lines.append("Energy is modelled, not read from a meter.")
    for comparison in report.models:
        lines += ["", *_block(comparison, report)]
    return "\n".join(lines) + "\n"


def _block(c: Comparison, report: Report) -> list[str]:
    percentile = f"p{report.percentile[c.model]:g}"
    rows = [
        ("requests/s", "requests_per_s", 3),
        ("input tokens per request", "input_tokens_per_request", 0),
        ("output tokens per request", "output_tokens_per_request", 0),
        ("utilisation, %", "utilisation", 1),
        ("busy, %", "busy", 1),
        ("W per accelerator, at the meter", "watts_per_accelerator", 0),
        ("ttft, ms, mean", "ttft_ms", 0),
        (f"ttft, ms, {percentile}", "ttft_ms_at_percentile", 0),
        ("tpot, ms, mean", "tpot_ms", 1),
        (f"tpot, ms, {percentile}", "tpot_ms_at_percentile", 1),
    ]
    sides = (c.planned, c.expected, c.metered)
    lines = [f"{c.model:34}" + "".join(f"{name:>12}" for name in _COLUMNS)]
    for label, name, digits in rows:
        scale = 100.0 if label.endswith("%") else 1.0
        values = (getattr(side, name) for side in sides)
        lines.append(f"  {label:32}" + "".join(_number(v, scale, digits) for v in values))
    lines += _costs(c, sides, report.currency)
    lines.append(
        "  Latencies are without the network; the round trip adds "
        f"{c.network_ms:.0f} ms on average."
    )
    if c.bridge:
        lines.append("  From planned to metered, " + report.currency + " per million tokens:")
        assert c.planned.cost_per_mtok is not None, "a plan has a cost"
        lines.append(f"    {'planned':30}{c.planned.cost_per_mtok.total:>24.4f}")
        for step in c.bridge:
            lines.append(f"    {step.cause:30}{step.adds:>+12.4f}{step.reaches:>12.4f}")
            if step.cause == "efficiency":
                lines.append(f"    {'= at the planned load':30}{step.reaches:>24.4f}")
    lines += [f"  - {finding}" for finding in c.findings]
    return lines


def _costs(c: Comparison, sides: tuple[Side, Side, Side], currency: str) -> list[str]:
    costs = [side.cost_per_mtok for side in sides]

    def row(label: str, pick: str) -> str:
        return f"  {label:32}" + "".join(
            _number(None if cost is None else _part(cost, pick), 1.0, 4) for cost in costs
        )

    del c
    return [
        row(f"{currency} per million tokens", "total"),
        *(row(f"  {tier}", tier) for tier in _TIERS),
    ]


def _part(cost: CostByTier, name: str) -> float:
    value: float = getattr(cost, name)
    return value


def _number(value: float | None, scale: float, digits: int) -> str:
    return f"{'-':>12}" if value is None else f"{value * scale:>12,.{digits}f}"
