"""A report as text: tiers, utilisation, who and where; then one block a model."""

from __future__ import annotations

from neocloud.books.side_by_side.figures import fixed, time_span
from neocloud.books.side_by_side.records import Bridge, Comparison, Report, Side
from neocloud.books.side_by_side.tier_text import signed, tier_lines
from neocloud.planner import CostByTier

_TIERS = ("power", "capital", "operations", "network")


_NO_TWIN = (
    "Nothing simulated was given, so that column is missing: --activity FILE sets it beside plan "
    "and ledger."
)
_NO_REQUEST = "No request of the plan's models came, so nothing can be set beside the plan."


def missing_note(report: Report) -> str:
    """Which side of the comparison is missing, and why; empty for none."""
    if not report.models:
        return _NO_REQUEST
    return _NO_TWIN if all(c.simulated is None for c in report.models) else ""


def statuses_of(report: Report) -> str:
    """How the requests ended."""
    found = ", ".join(f"{n:,} {status}" for status, n in report.requests_by_status.items())
    return found or "nothing was asked"


def report_text(report: Report) -> str:
    """Lay a report out."""
    statuses = statuses_of(report)
    lines = [
        f"{report.cloud}: cost and margin, planned against metered, {time_span(report.period)}",
        f"{report.requests:,} requests in {report.seconds:,.0f} s: {statuses}",
    ]
    if report.emulated:
        lines.append(
            "EMULATED: the performance model answered in place of accelerators; speed and energy "
            "are its own, and nothing was sold."
        )
    if report.energy_modelled:
        lines.append("Energy is modelled, not read from a meter.")
    lines += ["", *tier_lines(report.tiers)]
    for comparison in report.models:
        lines += ["", *_block(comparison, report)]
    if missing := missing_note(report):
        lines += ["", missing]
    return "\n".join(lines) + "\n"


def columns_of(c: Comparison) -> dict[str, Side]:
    """The columns of a comparison that are there, by name."""
    found = {"planned": c.planned, "expected": c.expected, "metered": c.metered}
    if c.simulated is not None:
        found = {"planned": c.planned, "simulated": c.simulated, **found}
    return found


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
    sides = columns_of(c)
    lines = [f"{c.model:34}" + "".join(f"{name:>12}" for name in sides)]
    for label, name, digits in rows:
        scale = 100.0 if label.endswith("%") else 1.0
        values = (getattr(side, name) for side in sides.values())
        lines.append(f"  {label:32}" + "".join(_number(v, scale, digits) for v in values))
    costs = [side.cost_per_mtok for side in sides.values()]
    lines.append(_cost_row(f"{report.currency} per million tokens", "total", costs))
    lines += [_cost_row(f"  {tier}", tier, costs) for tier in _TIERS]
    lines.append(
        "  Latencies are without the network; the round trip adds "
        f"{c.network_ms:.0f} ms on average."
    )
    if c.simulated is not None:
        lines.append(f"  {simulated_note(c.simulated)}")
    for bridge in (*c.simulated_bridges, *((c.bridge,) if c.bridge else ())):
        lines += _bridge(bridge, report.currency)
    if c.cost_at_planned_load is not None:
        lines.append(f"    {'metered, at the planned load':32}{c.cost_at_planned_load:>22.4f}")
    return lines + [f"  - {finding}" for finding in c.findings]


def simulated_note(side: Side) -> str:
    """What a simulated column does not tell."""
    if not side.requests_per_s:
        return "The simulated activity holds nothing of this model."
    return "Simulated activity holds hours and tokens, and no latency of single requests."


def _bridge(bridge: Bridge, currency: str) -> list[str]:
    return [
        f"  From {bridge.start} to {bridge.end}, {currency} per million tokens:",
        f"    {bridge.start:32}{bridge.start_pico / 1e12:>22.4f}",
        *(f"    {step.cause:32}{signed(step.adds, 4):>22}" for step in bridge.steps),
        f"    {bridge.end:32}{bridge.end_pico / 1e12:>22.4f}",
    ]


def _cost_row(label: str, name: str, costs: list[CostByTier | None]) -> str:
    return f"  {label:32}" + "".join(
        _number(None if cost is None else getattr(cost, name), 1.0, 4) for cost in costs
    )


def _number(value: float | None, scale: float, digits: int) -> str:
    return f"{'-':>12}" if value is None else f"{fixed(value * scale, digits):>12}"
