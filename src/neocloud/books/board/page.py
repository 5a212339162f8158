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
    invoiced_picture,
    prices_picture,
    shares_picture,
    tiers_picture,
    trend_picture,
    waterfall_picture,
)
from neocloud.books.side_by_side.figures import (
    CARBON,
    ENERGY,
    POWER,
    TIME,
    figure,
    fixed,
    quantity,
    scale_for,
    tier_quantity,
    time_span,
    unit_price,
)
from neocloud.books.side_by_side.records import Bridge, Comparison, Report
from neocloud.books.side_by_side.text import columns_of, missing_note, simulated_note, statuses_of
from neocloud.books.side_by_side.tier_text import (
    TIER_NAMES,
    USES,
    basis_line,
    carbon_line,
    decimals_for,
    group_name,
    identity_line,
    power_name,
)
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
    title = f"{report.cloud}: cost and margin"
    body = f"<h1>{escape(title)}</h1>\n{sections(report)}"
    return frame(f"{title}, {time_span(report.period)}", body)


def frame(title: str, body: str) -> str:
    """A whole page: no script, no other file, no network."""
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def sections(report: Report) -> str:
    """All of the report but the head of the page."""
    return f"""{_marks(report)}
{_figures(report)}
{_tiers(report.tiers)}
{_invoices(report.tiers)}
{_use(report.tiers)}
{_who(report.tiers)}
{_side_by_side(report)}"""


def _marks(report: Report) -> str:
    statuses = escape(statuses_of(report))
    came = f"{report.requests:,} requests in {report.seconds:,.0f} s: {statuses}."
    lines = [f"<p>{time_span(report.period)}</p>", f'<p class="soft">{came}</p>']
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
    share = f"{last.margin / last.revenue:.0%} of revenue" if last.revenue else "nothing was sold"
    tokens = sum(m.tokens for m in t.models)
    a_mtok = last.cost_so_far / tokens * 10**6 if tokens else None
    earned = "earned" if last.margin >= 0 else "lost"
    billed = "" if t.invoiced is None else f"{_documents(t)} say {money(t.invoiced.invoiced)}"
    shown = [
        ("revenue at list prices", f"{money(last.revenue)} {t.currency}", billed, "earned"),
        ("cost of all tiers", f"{money(last.cost_so_far)} {t.currency}",
         f"of it paid in the period {money(t.identity.cash)}", ""),
        ("margin", f"{money(last.margin)} {t.currency}", share, earned),
        ("cost of a million tokens",
         "-" if a_mtok is None else f"{figure(float(a_mtok))} {t.currency}",
         "idle time and all else within", ""),
        ("of sellable accelerator-hours used", _percent(t.utilisation.used),
         f"busy {_percent(t.utilisation.busy)} of what replicas held", ""),
        ("of requests within the objective", _percent(t.utilisation.goodput), "goodput", ""),
        ("CO2 for a million tokens", _grams(t.carbon.location_g_per_mtok),
         f"by the power contracts {_grams(t.carbon.market_g_per_mtok)}", ""),
    ]  # fmt: skip
    items = "\n".join(
        f'<li class="{kind}"><b>{escape(value)}</b>{escape(name)}<small>{escape(more)}</small></li>'
        for name, value, more, kind in shown
    )
    return f'<ul class="figures">\n{items}\n</ul>'


def _documents(t: TierReport) -> str:
    return "specimen invoices" if t.emulated else "invoices and previews"


def _grams(value: float | None) -> str:
    return "-" if value is None else quantity(value / 1e3, CARBON)


def _tiers(t: TierReport) -> str:
    money = _money(t)
    rows = []
    for tier in t.tiers:
        amounts = (tier.cost, tier.cost_so_far, tier.revenue, tier.margin)
        name = f"{TIER_NAMES[tier.tier]} ({tier_quantity(tier.quantity, tier.unit)})"
        rows.append((True, (name, *("-" if a is None else money(a) for a in amounts))))
        rows += [(False, (line.name, money(line.amount), "", "", "")) for line in tier.lines]
    return f"""<h2>From power to tokens</h2>
{waterfall_picture(t)}
{tiers_picture(t)}
{_table((t.currency, "cost", "so far", "if sold here", "margin"), rows)}
<p>{escape(identity_line(t).strip())}.</p>
<p class="soft">{escape(basis_line(t))}</p>
{trend_picture(t)}
{_notes(t)}"""


def _invoices(t: TierReport) -> str:
    if t.invoiced is None:
        return ""
    money, i = _money(t), t.invoiced
    rows = [(True, ("as the tiers have it: list prices, contracts by the hour", money(i.tiers)))]
    rows += [(False, (each.cause, money(each.amount))) for each in i.differences]
    rows += [
        (True, ("as invoiced, before credits and tax", money(i.invoiced))),
        (True, ("margin of that", money(i.margin))),
    ]
    documents = [
        (
            False,
            (
                d.tenant, d.number or d.kind, time_span(d.period), f"{d.subtotal:,f}",
                f"{d.credits_used:,f}", f"{d.tax:,f}", f"{d.total:,f} {d.currency}",
            ),
        )
        for d in i.documents
    ]  # fmt: skip
    heads = ("tenant", "document", "period", "subtotal", "credits", "tax", "total")
    return f"""<h2>From revenue to the invoices</h2>
{invoiced_picture(i, t.currency)}
{_table(("revenue", t.currency), rows)}
{_table(heads, documents) if documents else "<p>There are no documents.</p>"}"""


def _notes(t: TierReport) -> str:
    if not t.notes:
        return ""
    items = "\n".join(f"<li>{escape(note)}</li>" for note in t.notes)
    return f'<ul class="soft">\n{items}\n</ul>'


def _use(t: TierReport) -> str:
    money = _money(t)
    energy, mwh = scale_for([v for p in t.power for v in (p.drawn_mwh, p.obliged_mwh)], ENERGY)
    unit, kw = scale_for([p.peak_kw for p in t.power], POWER)
    power = [
        (
            False,
            (
                power_name(p.site, p.contract, p.kind, p.source),
                f"{p.price_per_mwh:,.2f}",
                figure(p.drawn_mwh / mwh, 4),
                figure(p.obliged_mwh / mwh, 4),
                figure(p.peak_kw / kw, 4),
                *(money(a) for a in (p.energy, p.undrawn, p.demand_charge, p.carbon)),
            ),
        )
        for p in t.power
    ]
    heads = ("power contract", f"{t.currency} per MWh", f"{energy} drawn", f"{energy} obliged",
             f"peak, {unit}", "energy", "not drawn", "demand charge", "carbon")  # fmt: skip
    hours, size = scale_for([h.standing for h in t.hours], TIME)
    pools = [
        (False, (f"{h.site}/{h.pool}", *(figure(getattr(h, use) / size, 4) for use in USES)))
        for h in t.hours
    ]
    return f"""<h2>Use</h2>
{shares_picture(t)}
{hours_picture(t)}
{_table((f"accelerator-{hours}", *USES), pools)}
<h3>Power and carbon, {escape(t.currency)}</h3>
{_table(heads, power)}
<p>{escape(carbon_line(t))}</p>"""


def _who(t: TierReport) -> str:
    money = _money(t)
    models = [
        (
            False,
            (
                m.model,
                figure(m.tokens / 1e6),
                *(
                    unit_price(v)
                    for v in (m.cost, m.cost_with_idle, m.sold, m.market_low, m.market_median,
                              m.market_high)
                ),
                "-" if m.carbon_g_location is None else figure(m.carbon_g_location),
                "-" if m.carbon_g_market is None else figure(m.carbon_g_market),
            ),
        )
        for m in t.models
    ]  # fmt: skip
    hours, size = scale_for([g.accelerator_hours for g in t.groups], TIME)
    groups = [
        (
            False,
            (
                group_name(g, t.by),
                *(money(a) for a in (g.power, g.accelerator_hour, g.token, g.cost, g.revenue,
                                     g.margin)),
                figure(g.tokens / 1e6),
                figure(g.accelerator_hours / size),
            ),
        )
        for g in t.groups
    ]  # fmt: skip
    of_models = ("model", "Mtok", "cost", "with idle", "sold at", "market, low", "median", "high",
                 "g CO2 by place", "by contract")  # fmt: skip
    of_groups = (", ".join(t.by), "power", "accelerator-hour", "token", "cost", "revenue",
                 "margin", "Mtok", hours)  # fmt: skip
    return f"""<h2>A million tokens, {escape(t.currency)}</h2>
{prices_picture(t)}
{_table(of_models, models)}
<h2>Who and where, {escape(t.currency)}</h2>
{_table(of_groups, groups)}"""


def _side_by_side(report: Report) -> str:
    parts = [_model(c, report) for c in report.models]
    if missing := missing_note(report):
        parts.insert(0, f'<p class="soft">{escape(missing)}</p>')
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
    told = list(c.findings)
    if c.simulated is not None:
        told.append(simulated_note(c.simulated))
    said = "\n".join(f"<li>{escape(finding)}</li>" for finding in told)
    return f"""<h3>{escape(c.model)}</h3>
{costs_picture(c, report.currency)}
{"".join(_bridge(bridge, report.currency) for bridge in bridges)}
{_table(("", *sides), rows)}
<ul>
{said}
</ul>"""


def _bridge(bridge: Bridge, currency: str) -> str:
    return (
        f"{bridge_picture(bridge, currency)}\n"
        '<p class="soft">The parts add up exactly; no order of the causes is meant.</p>\n'
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
    return "-" if value is None else fixed(value * scale, digits)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
