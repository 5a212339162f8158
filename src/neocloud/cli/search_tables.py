"""What `neocloud search` prints."""

from __future__ import annotations

import click

from neocloud.cli.tables import console, significant, table
from neocloud.perf import Configuration
from neocloud.planner.pictures.words import asked, label, layout, precision, spread_out, summed_up
from neocloud.planner.search.front import Front, FrontPoint

_MOST = 20
"""Rows of the front."""


def show_front(front: Front) -> None:
    """Print a front: the cheapest within the objective, a selection of it, what was looked at."""
    click.echo(f"{front.model}: {asked(front)}.")
    if front.cheapest:
        _show(front, "Cheapest within the objective, by accelerator", front.cheapest)
    else:
        click.echo("Nothing meets the objective; the front shows what can be reached.")
    some = spread_out(front, _MOST)
    told = f"{len(front.points)} points"
    if len(some) < len(front.points):
        told = f"{len(some)} of its {told}; --json, --html for all"
    _show(front, f"The front: what no other way to run it beats ({told})", some)
    click.echo(
        "* cheapest within the objective; + holds it. 3x8: workers times accelerators. Layout: "
        "tensor (tp), attention's data (dp) and expert parallelism (ep), stages (pp). tok/s a "
        "user: output; each: in and out, an accelerator. ttft, tpot: ms at "
        f"p{front.percentile:g} without the network. cost: {front.currency} per million tokens, "
        "in and out alike. J: joules a token."
    )
    for line in summed_up(front):
        click.echo(line)


def _show(front: Front, title: str, points: tuple[FrontPoint, ...]) -> None:
    right = "right"
    columns = [
        ("  accelerators", ""), ("layout, format", ""), ("drafts/\nchunk/batch", right),
        ("tok/s\na user", right), ("tok/s\neach", right), ("ttft", right), ("tpot", right),
        ("cost", right), ("of it\npower", right), ("J", right),
    ]  # fmt: skip
    rows = [row for p in points for row in _rows(front, p)]
    console().print(table(title, columns, rows))


def _rows(front: Front, p: FrontPoint) -> list[list[str]]:
    """A row; where workers are apart, one for those of prefill, then one with the figures."""
    best = bool(front.cheapest) and p == front.cheapest[0]
    mark = "*" if best else "+" if p.meets_objective else " "
    figures = [
        f"{p.tokens_per_s_per_user:.1f}", f"{p.tokens_per_s_per_accelerator:,.0f}",
        f"{p.ttft_ms_at_percentile:,.0f}", f"{p.tpot_ms_at_percentile:.1f}",
        significant(p.cost_per_mtok), f"{p.power_cost_per_mtok / p.cost_per_mtok:.1%}",
        significant(p.joules_per_token, 2),
    ]  # fmt: skip
    where = label(front, p.place)
    if p.prefill is None:
        return [[f"{mark} {p.accelerators} {where}", *_how(p.decode.configuration), *figures]]
    pre, out = p.prefill.configuration, p.decode.configuration
    other = "" if p.prefill.accelerator == p.decode.accelerator else f" {p.decode.accelerator}"
    first = where if not other else p.prefill.accelerator
    none = [""] * len(figures)
    return [
        [f"{mark} {p.prefill.workers}x{pre.accelerators} {first} prefill", *_how(pre), *none],
        [f"  + {p.decode.workers}x{out.accelerators}{other} decode", *_how(out), *figures],
    ]


def _how(c: Configuration) -> list[str]:
    return [f"{layout(c)} {precision(c)}", f"{c.drafts}/{c.batch_tokens}/{c.max_batch}"]
