"""How the explanation of one model of a plan looks on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click

from neocloud.cli.configuration_text import configuration_text
from neocloud.cli.tables import console, significant, table
from neocloud.planner import Explanation, RunnerUp

_COLUMNS = (
    ("replicas", "right"), ("req/s each", "right"), ("cost", "right"), ("", "wrap"),
    ("how it runs", "wrap"),
)  # fmt: skip


def show_explanation(e: Explanation) -> None:
    """Print what could serve a model, why it does or does not, and what the market asks."""
    out = console()
    out.print(
        table(
            f"{e.model}: the best of each pool, at full load, {e.currency} per million tokens",
            [("where", ""), *_COLUMNS],
            [[f"{r.site}/{r.pool}", *_row(r)] for r in e.places],
        )
    )  # fmt: skip
    if e.configurations:
        first = e.configurations[0]
        out.print(
            table(
                f"Other ways to run it in {first.site}/{first.pool}",
                _COLUMNS,
                [_row(r) for r in e.configurations],
            )
        )  # fmt: skip
    own = e.summary.cost_per_mtok
    click.echo(
        f"It costs {significant(own.total)} {e.currency} per million tokens as planned (power "
        f"{significant(own.power)}, capital {significant(own.capital)}, operations "
        f"{significant(own.operations)}, network {significant(own.network)}) at a utilisation of "
        f"{e.summary.utilisation:.0%}."
    )
    market = e.market
    if market is None:
        click.echo("No public offer of this model is known.")
        return
    click.echo(
        f"The market asks {significant(float(market.median))} USD for the same mix (median of "
        f"{market.providers} providers, {significant(float(market.low))} to "
        f"{significant(float(market.high))}, {market.date})."
    )


def _row(r: RunnerUp) -> Sequence[str]:
    how = "" if r.configuration is None else configuration_text(r.configuration, r.prefill)
    return [
        str(r.replicas or ""),
        significant(r.requests_per_s) if r.configuration else "",
        "" if r.cost_per_mtok is None else significant(r.cost_per_mtok),
        r.why,
        how,
    ]
