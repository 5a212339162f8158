"""The report as one HTML file: no script, no other file, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from html import escape
from pathlib import Path

from neocloud.books.board.pictures import (
    bridge_picture,
    costs_picture,
    hours_picture,
    shares_picture,
    tiers_picture,
    waterfall_picture,
)
from neocloud.books.side_by_side.records import Bridge, Comparison, Report
from neocloud.books.side_by_side.text import columns_of
from neocloud.books.side_by_side.tier_text import TIER_NAMES, decimals_for, group_name
from neocloud.books.tiers import TierReport

_HERE = Path(__file__).parent


def write_page(report: Report, path: Path) -> None:
    """Write the page.

    Raises:
        OSError: nothing can be written there.
    """
    path.write_text(page_of(report), encoding="utf-8")


def page_of(report: Report) -> str:
    """The page as text; the same report gives the same bytes."""
    title = escape(f"{report.cloud}: cost and margin, {report.period}")
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<h1>{title}</h1>
{_marks(report)}
{_figures(report)}
{_tiers(report.tiers)}
{_use(report.tiers)}
{_who(report.tiers)}
{_side_by_side(report)}
</body>
</html>
"""


def _marks(report: Report) -> str:
    statuses = ", ".join(f"{n:,} {status}" for status, n in report.requests_by_status.items())
    lines = [f'<p class="soft">{report.requests:,} requests: {escape(statuses)}.</p>']
    if report.emulated:
        lines.append(
            '<p class="warn">EMULATED: the performance model answered in place of accelerators; '
            "speed and energy are its own, and nothing was sold.</p>"
        )
    if report.energy_modelled:
        lines.append('<p class="soft">Energy is modelled, not read from a meter.</p>')
    return "\n".join(lines)


def _figures(report: Report) -> str:
    t = report.tiers
    last = t.tiers[-1]
    assert last.revenue is not None and last.margin is not None, "tokens always have a price"
    money = _money(t)
    shown = [
        ("revenue", f"{money(last.revenue)} {t.currency}"),
        ("cost", f"{money(last.cost_so_far)} {t.currency}"),
        ("margin", f"{money(last.margin)} {t.currency}"),
        ("of revenue", f"{last.margin / last.revenue:.1%}" if last.revenue else "-"),
        ("accelerator-hours used", _percent(t.utilisation.used)),
        ("requests within the objective", _percent(t.utilisation.goodput)),
    ]
    items = "\n".join(f"<li><b>{escape(v)}</b>{escape(name)}</li>" for name, v in shown)
    return f'<ul class="figures">\n{items}\n</ul>'


def _tiers(t: TierReport) -> str:
    money = _money(t)
    rows = []
    for tier in t.tiers:
        quantity = f"{tier.quantity:,.4g} {tier.unit}"
        amounts = (tier.cost, tier.cost_so_far, tier.revenue, tier.margin)
        name = f"{TIER_NAMES[tier.tier]} ({quantity})"
        rows.append((True, (name, *("-" if a is None else money(a) for a in amounts))))
        rows += [(False, (line.name, money(line.amount), "", "", "")) for line in tier.lines]
    i = t.identity
    basis = "; ".join(f"{TIER_NAMES[tier.tier]}, {tier.basis}" for tier in t.tiers)
    whole = money(i.power + i.accelerator_hour + i.token)
    return f"""<h2>From power to tokens</h2>
{waterfall_picture(t)}
{tiers_picture(t)}
{_table((t.currency, "cost", "so far", "if sold here", "margin"), rows)}
<p>Tiers {whole} = cash {money(i.cash)} + not cash {money(i.non_cash)}; difference
{i.difference:f}, of rounding {i.residue:f}.</p>
<p class="soft">If sold: {escape(basis)}.</p>
{_notes(t)}"""


def _notes(t: TierReport) -> str:
    if not t.notes:
        return ""
    items = "\n".join(f"<li>{escape(note)}</li>" for note in t.notes)
    return f'<ul class="soft">\n{items}\n</ul>'


def _use(t: TierReport) -> str:
    money = _money(t)
    power = [
        (
            False,
            (
                f"{p.site} {p.contract} ({p.kind}, {p.source})",
                f"{p.price_per_mwh:,.2f}",
                f"{p.drawn_mwh:,.4g}",
                f"{p.obliged_mwh:,.4g}",
                f"{p.peak_kw:,.4g}",
                *(money(a) for a in (p.energy, p.undrawn, p.demand_charge, p.carbon)),
            ),
        )
        for p in t.power
    ]
    heads = ("power contract", f"{t.currency} per MWh", "MWh drawn", "MWh obliged", "peak, kW",
             "energy", "not drawn", "demand charge", "carbon")  # fmt: skip
    c = t.carbon
    return f"""<h2>Use</h2>
{shares_picture(t)}
{hours_picture(t)}
{_table(heads, power)}
<p>Carbon: {c.location_kg:,.4g} kg by the grids of the sites, {c.market_kg:,.4g} kg by the power
contracts; {_number(c.location_g_per_mtok, 1)} and {_number(c.market_g_per_mtok, 1)} g for a million
tokens.</p>"""


def _who(t: TierReport) -> str:
    money = _money(t)
    models = [
        (
            False,
            (
                m.model,
                f"{m.tokens / 1e6:,.4g}",
                *(
                    _number(v, 4)
                    for v in (m.cost, m.cost_with_idle, m.sold, m.market_low, m.market_median,
                              m.market_high)
                ),
                _number(m.carbon_g_location, 1),
                _number(m.carbon_g_market, 1),
            ),
        )
        for m in t.models
    ]  # fmt: skip
    groups = [
        (
            False,
            (
                group_name(g, t.by),
                *(money(a) for a in (g.power, g.accelerator_hour, g.token, g.cost, g.revenue,
                                     g.margin)),
                f"{g.tokens / 1e6:,.4g}",
                f"{g.accelerator_hours:,.4g}",
            ),
        )
        for g in t.groups
    ]  # fmt: skip
    of_models = ("model", "Mtok", "cost", "with idle", "sold at", "market, low", "median", "high",
                 "g CO2 by place", "by contract")  # fmt: skip
    of_groups = (", ".join(t.by), "power", "accelerator-hour", "token", "cost", "revenue",
                 "margin", "Mtok", "hours")  # fmt: skip
    return f"""<h2>A million tokens, {escape(t.currency)}</h2>
{_table(of_models, models)}
<h2>Who and where, {escape(t.currency)}</h2>
{_table(of_groups, groups)}"""


def _side_by_side(report: Report) -> str:
    parts = [_model(c, report) for c in report.models]
    return "\n".join(["<h2>Planned, simulated and metered</h2>", *parts])


def _model(c: Comparison, report: Report) -> str:
    bridges = [*c.simulated_bridges, *((c.bridge,) if c.bridge else ())]
    sides = columns_of(c)
    names = {
        "requests/s": ("requests_per_s", 3, 1.0),
        "utilisation, %": ("utilisation", 1, 100.0),
        "busy, %": ("busy", 1, 100.0),
        "W per accelerator": ("watts_per_accelerator", 0, 1.0),
        "time to first token, ms": ("ttft_ms", 0, 1.0),
        "time per output token, ms": ("tpot_ms", 1, 1.0),
    }
    rows = [
        (False, (label, *(_number(getattr(s, field), digits, scale) for s in sides.values())))
        for label, (field, digits, scale) in names.items()
    ]
    said = "\n".join(f"<li>{escape(finding)}</li>" for finding in c.findings)
    return f"""<h3>{escape(c.model)}</h3>
{costs_picture(c, report.currency)}
{"".join(_bridge(bridge, report.currency) for bridge in bridges)}
{_table(("", *sides), rows)}
<ul>
{said}
</ul>"""


def _bridge(bridge: Bridge, currency: str) -> str:
    return (
        f"<p>From {bridge.start} to {bridge.end}, {escape(currency)} per million tokens; no order "
        f"of the causes is meant.</p>\n{bridge_picture(bridge)}\n"
    )


def _table(head: Sequence[str], rows: Iterable[tuple[bool, Sequence[str]]]) -> str:
    """A table; of a row, whether it is a sum, and its cells."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "\n".join(
        f"<tr{' class=whole' if whole else ''}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for whole, cells in rows
    )
    return (
        f'<div class="scroll"><table>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>\n'
        "</table></div>"
    )


def _money(t: TierReport) -> Callable[[Decimal], str]:
    """How amounts of a report are written: with the decimals that its whole cost needs."""
    places = decimals_for(t.tiers[-1].cost_so_far)

    def written(value: Decimal) -> str:
        return f"{value:,.{places}f}"

    return written


def _number(value: float | None, digits: int, scale: float = 1.0) -> str:
    return "-" if value is None else f"{value * scale:,.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
