"""How a plan looks on a terminal."""

from __future__ import annotations

import click

from neocloud.cli.configuration_text import configuration_text
from neocloud.cli.tables import console, significant, table
from neocloud.planner import CostByTier, Placement, Plan

_RIGHT = "right"


def show_plan(plan: Plan) -> None:
    """Print a plan as tables."""
    _placements(plan)
    _models(plan)
    _latency(plan)
    _costs(plan)
    _against(plan)
    _limits(plan)
    _search(plan)


def _tiers(cost: CostByTier) -> list[str]:
    return [
        significant(value)
        for value in (cost.total, cost.power, cost.capital, cost.operations, cost.network)
    ]


def _replicas(p: Placement) -> str:
    least = min(p.replicas_by_hour)
    return str(p.replicas) if least == p.replicas else f"{least} to {p.replicas}"


def _busiest(p: Placement) -> float:
    """Highest share of what the replicas of an hour take."""
    return max(
        (
            rate / (count * p.max_requests_per_s)
            for rate, count in zip(p.requests_per_s_by_hour, p.replicas_by_hour, strict=True)
            if count
        ),
        default=0.0,
    )


def _how(p: Placement) -> str:
    text = configuration_text(p.configuration, p.prefill.configuration if p.prefill else None)
    if p.prefill is None:
        return text
    return f"{p.prefill.workers} prefill + {p.workers} decode: {text}"


def _kind(p: Placement) -> tuple[str, str, str]:
    """Placements of one kind run one model alike on one kind of accelerator."""
    other = p.prefill.accelerator if p.prefill else p.accelerator
    where = p.accelerator if other == p.accelerator else f"{other} for {p.accelerator}"
    return p.model, where, _how(p)


def _placements(plan: Plan) -> None:
    kinds = list(dict.fromkeys(_kind(p) for p in plan.placements))
    first = {_kind(p): p for p in reversed(plan.placements)}
    out = console()
    out.print(
        table(
            f"{plan.cloud}: how models run",
            [
                ("", ""), ("model", ""), ("accelerator", ""), ("each", _RIGHT),
                ("req/s", _RIGHT), ("9 of 10 within", ""), ("how", "wrap"),
            ],
            [
                [
                    _letter(place), *kind[:2], str(first[kind].accelerators_per_replica),
                    significant(first[kind].max_requests_per_s), _sure(first[kind]), kind[2],
                ]
                for place, kind in enumerate(kinds)
            ],
        )
    )  # fmt: skip
    out.print(
        table(
            "What stands where",
            [
                ("site", ""), ("pool", ""), ("model", ""), ("run as", ""), ("replicas", _RIGHT),
                ("accelerators", _RIGHT), ("busiest hour", _RIGHT), ("kW", _RIGHT),
            ],
            [
                [
                    p.site, p.pool, p.model, _letter(kinds.index(_kind(p))), _replicas(p),
                    str(p.accelerators), f"{_busiest(p):.0%}",
                    significant(p.curve[-1].watts * p.replicas * p.pue / 1e3),
                ]
                for p in plan.placements
            ],
        )
    )  # fmt: skip


def _sure(p: Placement) -> str:
    """Where nine of ten measured rates lie against the prediction."""
    if p.certainty is None:
        return ""
    interval = p.certainty.throughput
    return f"{interval.low_90 - 1.0:+.0%} to {interval.high_90 - 1.0:+.0%}"


def _letter(place: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    text = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _models(plan: Plan) -> None:
    console().print(
        table(
            f"Cost per million tokens, {plan.currency} (input and output tokens counted alike)",
            [
                ("model", ""), ("total", _RIGHT), ("power", _RIGHT), ("capital", _RIGHT),
                ("operations", _RIGHT), ("network", _RIGHT), ("utilisation", _RIGHT),
                ("Mtok/day", _RIGHT),
            ],
            [
                [
                    m.model, *_tiers(m.cost_per_mtok), f"{m.utilisation:.0%}",
                    significant(m.tokens_per_day / 1e6, 4),
                ]
                for m in plan.models
            ],
        )
    )  # fmt: skip


def _latency(plan: Plan) -> None:
    sure = "" if plan.confidence == 0.5 else f", at a confidence of {plan.confidence:.0%}"
    console().print(
        table(
            "Latency, ms, network included: predicted at the percentile, against the objective"
            + sure,
            [
                ("model", ""), ("percentile", _RIGHT), ("ttft", _RIGHT), ("objective", _RIGHT),
                ("tpot", _RIGHT), ("objective", _RIGHT), ("of it network", _RIGHT),
            ],
            [
                [
                    m.model, f"{m.percentile:g}", f"{m.ttft_ms_at_percentile:.0f}",
                    f"{m.objective_ttft_ms:g}", f"{m.tpot_ms_at_percentile:.1f}",
                    f"{m.objective_tpot_ms:g}", f"{m.network_ms:.0f}",
                ]
                for m in plan.models
            ],
        )
    )  # fmt: skip


def _costs(plan: Plan) -> None:
    cost, unit = plan.cost_per_hour, plan.currency
    click.echo(
        f"All in {significant(cost.total, 4)} {unit} an hour: power {significant(cost.power)}, "
        f"capital {significant(cost.capital)}, operations {significant(cost.operations)}, network "
        f"{significant(cost.network)}. It emits {significant(plan.carbon_t_per_year)} t of CO2 a "
        "year."
    )
    idle = sum(u.cost_per_hour for u in plan.unallocated)
    if idle > 0:
        where = ", ".join(f"{u.accelerators} in {u.site}/{u.pool}" for u in plan.unallocated)
        click.echo(f"Not used: {where}. They cost {significant(idle)} {unit} an hour all the same.")
    for o in plan.obligations:
        click.echo(
            f"Paid for and not drawn: power at {o.site}, {significant(o.cost_per_hour)} {unit} an "
            "hour."
        )
    if plan.rental_allowed and not plan.rented:
        click.echo("Nothing is rented: one's own accelerators are cheaper.")
    for r in plan.rented:
        held = sum(
            p.replicas * p.held().get(r.pool, 0) for p in plan.placements if p.site == r.site
        )
        term = f", {r.term_months} months" if r.term_months else ""
        click.echo(
            f"Rented: {held} {r.pool} of {r.provider} at {r.metro}, {r.tier}{term}, at "
            f"{significant(r.price_per_accelerator_hour)} {unit} an accelerator-hour ({r.source}, "
            f"{r.date})."
        )


def _against(plan: Plan) -> None:
    answers, total, unit = plan.answers, plan.cost_per_hour.total, plan.currency
    n = answers.naive
    if n is not None and n.cost_per_hour.total > 0.0:
        short = (
            f", {n.missing_accelerators} more than stand there" if n.missing_accelerators else ""
        )
        more = (
            f". It misses the objective of {', '.join(n.missed)}, which is not in that"
            if n.missed
            else f": {n.cost_per_hour.total / total:.2f} times this one's"
        )
        click.echo(
            f"The naive plan (nearest site, largest accelerator, default settings) costs "
            f"{significant(n.cost_per_hour.total, 4)} {unit} an hour on {n.accelerators:,} "
            f"accelerators{short}{more}."
        )
    t = answers.today
    if t is not None:
        cost = (
            "cannot serve this demand any more"
            if t.cost_per_hour is None
            else f"costs {significant(t.cost_per_hour, 4)} {unit} an hour under it"
        )
        moved = "; ".join(
            f"{c.model} at {c.site}/{c.pool} {c.replicas_today} to {c.replicas}" for c in t.changes
        )
        click.echo(f"Today's plan ({t.file}) {cost}. Changes: {moved or 'none'}.")
    if answers.spares_cost_per_hour is not None:
        click.echo(
            f"Spares ({plan.spares}) cost {significant(answers.spares_cost_per_hour)} {unit} an "
            "hour."
        )


def _limits(plan: Plan) -> None:
    for skipped in plan.skipped:
        click.echo(f"Left out: {skipped.site}/{skipped.pool}. {skipped.reason}")
    for b in plan.binding:
        click.echo(
            f"Binds: {b.limit} at {b.where}, {b.used:.4g} of {b.available:.4g} {b.unit} used."
        )
    for w in plan.answers.worth:
        saved = (
            f"saves {significant(w.saved_per_hour)}"
            if w.saved_per_hour > w.uncertain_per_hour
            else f"saves no more than {significant(max(w.saved_per_hour, w.uncertain_per_hour))}"
        )
        click.echo(
            f"One more {w.what} at {w.where} {saved} {plan.currency} an hour, its price apart."
        )


def _search(plan: Plan) -> None:
    s = plan.search
    click.echo(
        f"Searched {s.examined:,} points: {s.no_room:,} without room in memory or batch, "
        f"{s.too_slow:,} too slow, {s.dominated:,} dominated, {s.kept} kept; {s.options} options "
        f"by place. {s.solver} proved the placement within {s.gap:.2%} of the best."
    )
