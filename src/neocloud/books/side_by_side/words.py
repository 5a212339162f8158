"""What a comparison finds, in words: the engine first, then causes by weight, then latency."""

from __future__ import annotations

from neocloud.books.side_by_side.records import CAUSES, Bridge, BridgeStep, Side

_WORTH_A_WORD = 0.02
"""Share of the planned cost, or of a step's time, below which a cause is not named."""


def findings(
    currency: str,
    planned: Side,
    expected: Side,
    now: Side,
    bridge: Bridge | None,
    factor: float | None,
    slow_adds: float | None,
) -> tuple[str, ...]:
    """Say where planned and metered part.

    Args:
        currency: of all costs.
        planned: the plan's column.
        expected: the column of the replay.
        now: the metered column.
        bridge: from planned to metered.
        factor: metered step time over modelled.
        slow_adds: what that adds to the cost of a million tokens at the planned load.
    """
    words = [_say_efficiency(factor, slow_adds, currency)]
    if bridge is not None and planned.cost_per_mtok is not None:
        least = _WORTH_A_WORD * planned.cost_per_mtok.total
        named = [s for s in bridge.steps if s.cause != "efficiency" and abs(s.adds) >= least]
        named.sort(key=lambda s: -abs(s.adds))
        words += [_say_step(s, planned, now, currency) for s in named]
    return (*words, *_say_latency(planned, expected, now))


def _say_step(step: BridgeStep, planned: Side, now: Side, currency: str) -> str:
    text = f"{step.cause}: {CAUSES[step.cause]}: {step.adds:+.4f} {currency} a million tokens"
    if step.cause == "utilisation" and planned.requests_per_s and now.requests_per_s is not None:
        share = now.requests_per_s / planned.requests_per_s
        text += f" ({share:.1%} of the planned requests came)"
    return text


def _say_efficiency(factor: float | None, adds: float | None, currency: str) -> str:
    if factor is None:
        return "efficiency: not known, no answer was long enough to time steps by"
    change = 1.0 / factor - 1.0
    if abs(factor - 1.0) < _WORTH_A_WORD:
        return (
            f"efficiency: as planned; steps took {factor:.3f} times as long as modelled "
            f"({change:+.1%} tokens per accelerator)"
        )
    text = (
        f"efficiency: steps took {factor:.3f} times as long as modelled, {change:+.1%} tokens per "
        "accelerator"
    )
    if adds is None:
        return text
    return f"{text}: {adds:+.4f} {currency} a million tokens at the planned load"


def _say_latency(planned: Side, expected: Side, now: Side) -> tuple[str, ...]:
    if planned.tpot_ms is None or expected.tpot_ms is None or now.tpot_ms is None:
        return ()
    said = (
        f"latency: {planned.tpot_ms:.1f} ms per token planned, {expected.tpot_ms:.1f} ms expected "
        f"at the metered load, {now.tpot_ms:.1f} ms metered"
    )
    return (said,)
