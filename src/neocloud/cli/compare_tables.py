"""How two clouds side by side look on a terminal."""

from __future__ import annotations

from collections.abc import Callable

import click

from neocloud.cli.tables import console, significant, table
from neocloud.planner.comparison import Comparison, EqualCost, Faster, Figures, Pair, Trial
from neocloud.planner.latency import Latency

_RIGHT = "right"
_SHOWN_AS_SAME = 5e-4
_LATENCIES: tuple[tuple[str, Callable[[Latency], str]], ...] = (
    ("network", lambda found: f"{found.network_ms:.0f}"),
    ("ttft", lambda found: f"{found.ttft_ms:.0f}"),
    ("worst", lambda found: f"{found.ttft_ms_at_percentile:.0f}"),
    ("tpot", lambda found: f"{found.tpot_ms:.1f}"),
    ("answer s", lambda found: significant(found.answer_ms / 1e3)),
)


def show_comparison(c: Comparison) -> None:
    """Print both conditions and the answer."""
    click.echo(f"A is {c.first}, B is {c.second}.")
    for note in c.notes:
        click.echo(f"Note: {note}")
    _pair(c, c.at_equal_objectives, "At equal objectives")
    equal = c.at_equal_cost
    click.echo(_how(c, equal))
    if equal.loosened is not None and equal.factor != 1.0:
        _pair(c, equal.pair, "At equal cost" if equal.reached else "Nearest to equal cost")
    click.echo(c.answer)


def _how(c: Comparison, equal: EqualCost) -> str:
    if equal.loosened is None:
        return "At equal cost: both cost alike as they are, so nothing is loosened."
    tried = ", ".join(f"{t.factor:.3g} ({_cost(t)})" for t in equal.trials)
    ends = f"{c.currency} an hour by factor tried: {tried}."
    if equal.reached:
        return (
            f"At equal cost: with the objectives of all its models times {equal.factor:.4g}, "
            f"{equal.loosened} costs no more than the other. {ends}"
        )
    shown = (
        "none costs less than without"
        if equal.factor == 1.0
        else f"the cheapest, at {equal.factor:.4g}, is shown"
    )
    return (
        f"At equal cost: with the objectives of all its models loosened up to {equal.max_factor:g} "
        f"times, {equal.loosened} still costs more; {shown}. {ends}"
    )


def _cost(t: Trial) -> str:
    return "no plan found in time" if t.total_per_hour is None else significant(t.total_per_hour, 4)


def _pair(c: Comparison, pair: Pair, title: str) -> None:
    _figures(c, pair, title)
    _models(c, pair)
    _metros(pair)
    click.echo(_sooner("First token", pair.sooner_first_token))
    click.echo(_sooner("Whole answer", pair.sooner_answer) + "\n")


def _figures(c: Comparison, pair: Pair, title: str) -> None:
    one, other = pair.first, pair.second
    money: list[tuple[str, Callable[[Figures], float]]] = [
        (f"{c.currency} an hour, in all", lambda f: f.total_per_hour),
        ("  power", lambda f: f.cost_per_hour.power),
        ("  capital and rent", lambda f: f.cost_per_hour.capital),
        ("  operations", lambda f: f.cost_per_hour.operations),
        ("  network", lambda f: f.cost_per_hour.network),
        ("  power paid for, not drawn", lambda f: f.obligations_per_hour),
        ("  (idle accelerators, not in it)", lambda f: f.idle_per_hour),
        (f"{c.currency} per million tokens", lambda f: f.cost_per_mtok),
        ("accelerators used", lambda f: float(f.accelerators)),
        ("  of them rented", lambda f: float(f.rented_accelerators)),
        ("utilisation, %", lambda f: f.utilisation * 100.0),
        ("kW at the meters, mean", lambda f: f.mean_kw),
        ("kW at the meters, highest hour", lambda f: f.peak_kw),
        ("t of CO2 a year", lambda f: f.carbon_t_per_year),
    ]
    rows = [
        [name, significant(of(one), 4), significant(of(other), 4), _over(of(one), of(other))]
        for name, of in money
        if of(one) or of(other)
    ]
    rows.append(["proven gap", f"{one.gap:.2%}", f"{other.gap:.2%}", ""])
    console().print(
        table(
            title,
            [("", ""), ("A", _RIGHT), ("B", _RIGHT), ("A over B", _RIGHT)],
            rows,
        )
    )


def _over(one: float, other: float) -> str:
    if not other:
        return ""
    share = one / other - 1.0
    return "same" if abs(share) < _SHOWN_AS_SAME else f"{share:+.1%}"


def _models(c: Comparison, pair: Pair) -> None:
    models = [{m.model: m for m in figures.models} for figures in (pair.first, pair.second)]
    rows = []
    for name in dict.fromkeys([*models[0], *models[1]]):
        found = [some.get(name) for some in models]
        costs = ["" if m is None else significant(m.cost_per_mtok.total) for m in found]
        rows.append([name, *costs, *_both(*(None if m is None else m.latency for m in found))])
    console().print(
        table(
            f"By model: {c.currency} per million tokens; latency in ms, network included",
            [("model", ""), ("cost A", _RIGHT), ("B", _RIGHT), *_headings()],
            rows,
        )
    )


def _metros(pair: Pair) -> None:
    metros = [{m.metro: m.latency for m in figures.metros} for figures in (pair.first, pair.second)]
    rows = []
    for name in dict.fromkeys([*metros[0], *metros[1]]):
        found = [some.get(name) for some in metros]
        rate = next(m.requests_per_s for m in found if m is not None)
        rows.append([name, significant(rate), *_both(*found)])
    everyone = pair.first.latency, pair.second.latency
    rows.append(["all users", significant(everyone[0].requests_per_s), *_both(*everyone)])
    console().print(
        table(
            "By the users' metro: latency in ms; worst is the TTFT at the objective's percentile",
            [("metro", ""), ("req/s", _RIGHT), *_headings()],
            rows,
        )
    )


def _headings() -> list[tuple[str, str]]:
    return [column for name, _ in _LATENCIES for column in ((f"{name} A", _RIGHT), ("B", _RIGHT))]


def _both(one: Latency | None, other: Latency | None) -> list[str]:
    return [
        "" if found is None else text(found) for _, text in _LATENCIES for found in (one, other)
    ]


def _sooner(what: str, faster: Faster) -> str:
    return (
        f"{what} sooner at A for {faster.first:.0%} of the requests, at B for {faster.second:.0%}, "
        f"alike (within 1%) for {faster.alike:.0%}."
    )
