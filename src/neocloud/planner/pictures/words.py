"""A front in words: how a point runs, where it stands, which points to show of many."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neocloud.perf import Configuration
from neocloud.planner.search.front import Front, FrontPoint, FrontStation


def label(front: Front, place: str) -> str:
    """The kind of accelerator of a place, and where it stands if several places have that kind."""
    kind = next(p.accelerator for p in front.prices if p.place == place)
    alike = [p.place for p in front.prices if p.accelerator == kind]
    if len(alike) == 1:
        return kind
    site = place.partition("/")[0]
    alone = sum(other.partition("/")[0] == site for other in alike) == 1
    return f"{kind} at {site if alone else place}"


def layout(c: Configuration) -> str:
    """Parallelism; what is 1 is left out, so that `tp1` says that nothing is split."""
    parts = [
        f"{name}{degree}"
        for name, degree in (("tp", c.tp), ("dp", c.attention_dp), ("pp", c.pp), ("ep", c.ep))
        if degree > 1
    ]
    return " ".join(parts) or "tp1"


def precision(c: Configuration) -> str:
    """Number format of the weights, and of the KV cache where it is not bf16."""
    return c.precision if c.kv_precision == "bf16" else f"{c.precision}, kv {c.kv_precision}"


def runs_as(s: FrontStation) -> str:
    """How the workers of a station run, in one line."""
    c = s.configuration
    drafts = f", {c.drafts} drafts" if c.drafts else ""
    return (
        f"{layout(c)}, {precision(c)}{drafts}, chunks of {c.batch_tokens}, batch of {c.max_batch}"
    )


def described(front: Front, p: FrontPoint) -> str:
    """Accelerators and configuration of a point, in one line."""
    where = label(front, p.place)
    if p.prefill is None:
        return f"{p.accelerators} x {where}: {runs_as(p.decode)}"
    return (
        f"{p.accelerators} accelerators, {where}: "
        f"{p.prefill.workers} x prefill on {p.prefill.accelerator} ({runs_as(p.prefill)}) + "
        f"{p.decode.workers} x decode on {p.decode.accelerator} ({runs_as(p.decode)})"
    )


def asked(front: Front) -> str:
    """What the front was asked: requests and objective."""
    load = front.load
    network = max((p.rtt_ms for p in front.prices), default=0.0)
    counted = "network included" if network > 0.0 else "network left out"
    return (
        f"{load.input_tokens:,.0f} tokens in, {load.output_tokens:,.0f} out; objective for "
        f"{front.percentile:g} % of requests: first token in {front.ttft_ms:g} ms ({counted}), "
        f"each further one in {front.tpot_ms:g} ms"
    )


def spread_out(front: Front, most: int) -> tuple[FrontPoint, ...]:
    """At most so many points, spread over interactivity on a logarithmic scale.

    Of those that lie together the cheapest stands for all, or the cheapest within the objective.
    """
    points = front.points
    if len(points) <= most:
        return points
    speeds = np.log([p.tokens_per_s_per_user for p in points])
    edges = np.linspace(speeds.max(), speeds.min(), most + 1)
    bins = np.minimum(np.searchsorted(-edges, -speeds, side="right") - 1, most - 1)
    best = front.cheapest[0] if front.cheapest else None
    chosen = []
    for number in sorted(set(bins.tolist())):
        here = [p for p, b in zip(points, bins, strict=True) if b == number]
        chosen.append(min(here, key=lambda p: (p != best, p.cost_per_mtok)))
    return tuple(chosen)


def summed_up(front: Front) -> Iterator[str]:
    """What was looked at, what was left out and why, and how sure all of this is."""
    yield (
        f"Examined {front.examined:,} points (configurations at batches): {front.no_room:,} have "
        f"no room, {front.dominated:,} are beaten by another, {len(front.points):,} are the front."
    )
    on_front = {p.place for p in front.points}
    beaten = [
        label(front, p.place)
        for p in front.prices
        if p.place not in on_front and p.place not in front.hopeless
    ]
    if beaten:
        yield f"Beaten everywhere by others: {', '.join(beaten)}."
    for place, reason in front.hopeless.items():
        yield f"Not served by {label(front, place)}: {reason}."
    for reason, keys in _by_reason(front.skipped).items():
        yield f"Not looked at: {', '.join(keys)}: {reason.removesuffix('.')}."
    cost = ", ".join(f"{label(front, p.place)} {p.per_accelerator_hour:.3g}" for p in front.prices)
    yield f"An hour of an accelerator, {front.currency}, capital and operations: {cost}."
    leased = [label(front, p.place) for p in front.prices if p.leased]
    if leased:
        yield (
            f"Of these, no price but only the market's rent is known of {', '.join(leased)}: the "
            "median over providers, space and energy on top."
        )
    power = {
        p.place.partition("/")[0]: (
            f"{p.per_kwh * 1e3:.4g} {front.currency}/MWh and a PUE of {p.pue:g}"
        )
        for p in front.prices
    }
    if len(set(power.values())) == 1:
        yield f"Power at {next(iter(power.values()))}."
    elif power:
        yield f"Power: {'; '.join(f'{site} at {at}' for site, at in power.items())}."
    yield sure(front.confidence)


def sure(confidence: float) -> str:
    """How far predictions are to be trusted."""
    if confidence == 0.5:
        quantile = "They err to both sides alike."
    else:
        quantile = (
            f"They are taken at a confidence of {confidence:g}: so many are at least as fast."
        )
    return (
        f"All figures are predictions of the performance model, energy is modelled. {quantile} "
        "docs/accuracy.md says how near they come to measured results, `neocloud predict` gives "
        "the interval of one configuration."
    )


def _by_reason(skipped: dict[str, str]) -> dict[str, list[str]]:
    """Keys that were left out by reason, each named once; the key itself is taken out of it."""
    found: dict[str, list[str]] = {}
    for key, reason in skipped.items():
        found.setdefault(reason.replace(key, "it"), []).append(key)
    return found
