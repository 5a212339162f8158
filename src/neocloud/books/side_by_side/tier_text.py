"""Cost and margin by tier as text."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from neocloud.books.side_by_side.figures import (
    CARBON,
    ENERGY,
    POWER,
    TIME,
    figure,
    quantity,
    scale_for,
    tier_quantity,
    unit_price,
)
from neocloud.books.tiers import TierReport
from neocloud.books.tiers.records import GroupLine, Invoiced, ModelLine

TIER_NAMES = {"power": "power", "accelerator_hour": "accelerator-hour", "token": "token"}
SHARES = {
    "contracted / sellable": "contracted",
    "used / sellable": "used",
    "busy / held by replicas": "busy",
    "goodput / requests": "goodput",
    "inference / used": "inference_of_used",
    "inference / sellable": "inference_of_sellable",
}
USES = (
    "standing", "sellable", "inference", "busy", "training", "backfill", "test", "down", "spare",
    "idle",
)  # fmt: skip


def decimals_for(value: Decimal | float, digits: int = 4) -> int:
    """Decimals that show an amount to so many digits; at least the two of a price."""
    size = abs(float(value))
    if not size:
        return 2
    shown = digits
    while size >= 1.0 and shown > 2:
        size /= 10.0
        shown -= 1
    while size < 0.1 and shown < 12:
        size *= 10.0
        shown += 1
    return shown


def signed(value: float, decimals: int) -> str:
    """A number with its sign; plain zero where nothing of it shows."""
    text = f"{value:+.{decimals}f}"
    return text if float(text) else f"{0:.{decimals}f}"


def tier_lines(t: TierReport) -> list[str]:
    """Tiers, identity, invoices, course, power contracts, hours, models and groups."""
    places = decimals_for(t.tiers[-1].cost_so_far)

    def money(value: Decimal | None) -> str:
        return f"{'-':>18}" if value is None else f"{_plain(value, places):>18}"

    head = ("cost", "so far", "if sold", "margin")
    lines = [f"{'By tier, ' + t.currency:48}" + "".join(f"{name:>18}" for name in head)]
    for tier in t.tiers:
        name = f"{TIER_NAMES[tier.tier]} ({tier_quantity(tier.quantity, tier.unit)})"
        row = (tier.cost, tier.cost_so_far, tier.revenue, tier.margin)
        lines.append(f"  {name:46}" + "".join(money(value) for value in row))
        lines += [f"    {line.name:44}{money(line.amount)}" for line in tier.lines]
    sections = [
        [*lines, identity_line(t), f"  {basis_line(t)}"],
        [] if t.invoiced is None else _invoiced(t.invoiced, t.currency, places),
        _trend(t, places),
        _power(t, places),
        _hours(t),
        _models(t),
        _groups(t, places),
    ]
    found: list[str] = []
    for section in filter(None, sections):
        found += ["", *section] if found else section
    return found + [f"  Note: {note}." for note in t.notes]


def identity_line(t: TierReport) -> str:
    """That the tiers sum to what was to be paid and written off."""
    places = decimals_for(t.tiers[-1].cost_so_far)
    i = t.identity
    whole = _plain(i.power + i.accelerator_hour + i.token, places)
    sums = f"cash {_plain(i.cash, places)} + not cash {_plain(i.non_cash, places)}"
    return (
        f"  Tiers {whole} = {sums}; difference {i.difference:f} {t.currency} "
        f"(rounding each bill to 1e-12 added {float(i.residue):.1e})"
    )


def basis_line(t: TierReport) -> str:
    """Which prices the revenue of each tier rests on."""
    return "If sold: " + "; ".join(f"{TIER_NAMES[x.tier]}, {x.basis}" for x in t.tiers) + "."


def document_words(i: Invoiced) -> str:
    """The documents, one after the other."""
    return "; ".join(
        f"{d.tenant} {d.number or d.kind} {d.subtotal:,f} {d.currency}" for d in i.documents
    )


def _invoiced(i: Invoiced, currency: str, places: int) -> list[str]:
    rows = [("as the tiers have it: list prices, contracts by the hour", i.tiers)]
    rows += [(f"  {each.cause}", each.amount) for each in i.differences]
    rows += [("as invoiced, before credits and tax", i.invoiced), ("margin of that", i.margin)]
    lines = [f"{'Revenue, ' + currency:66}{'':>18}".rstrip()]
    lines += [f"  {name:64}{_plain(amount, places):>18}" for name, amount in rows]
    return [*lines, f"  {document_words(i) or 'no documents'}"]


def trend_name(g: GroupLine) -> str:
    """The month, day or hour of a line of the course."""
    return next(str(name) for name in (g.month, g.day, g.hour) if isinstance(name, str))


def _trend(t: TierReport, places: int) -> list[str]:
    if not t.trend:
        return []
    head = ("cost", "revenue", "margin", "Mtok", "accelerator-h", "kWh")
    lines = [f"{'Course, ' + t.currency:30}" + "".join(f"{name:>16}" for name in head)]
    return lines + [
        f"  {trend_name(g):28}"
        + "".join(f"{_plain(a, places):>16}" for a in (g.cost, g.revenue, g.margin))
        + f"{figure(g.tokens / 1e6):>16}{figure(g.accelerator_hours, 4):>16}"
        f"{figure(g.energy_kwh, 4):>16}"
        for g in t.trend
    ]


def _plain(value: Decimal, places: int) -> str:
    return f"{value:,.{places}f}"


def _power(t: TierReport, places: int) -> list[str]:
    energy, mwh = scale_for([v for p in t.power for v in (p.drawn_mwh, p.obliged_mwh)], ENERGY)
    power, kw = scale_for([p.peak_kw for p in t.power], POWER)
    head = (f"{energy} drawn", "obliged", f"peak {power}", "energy", "not drawn", "demand",
            "carbon")  # fmt: skip
    lines = [f"{'Power contracts':34}{'per MWh':>12}" + "".join(f"{name:>14}" for name in head)]
    for p in t.power:
        amounts = (p.energy, p.undrawn, p.demand_charge, p.carbon)
        lines.append(
            f"  {power_name(p.site, p.contract, p.kind, p.source):32}{p.price_per_mwh:>12,.2f}"
            f"{figure(p.drawn_mwh / mwh, 4):>14}{figure(p.obliged_mwh / mwh, 4):>14}"
            f"{figure(p.peak_kw / kw, 4):>14}"
            + "".join(f"{_plain(a, places):>14}" for a in amounts)
        )
    return lines


def power_name(site: str, contract: int, kind: str, source: str) -> str:
    """What a power contract is called: its place in the site's list, its kind and its source."""
    return (
        f"{site} {contract} ({kind})" if kind == source else f"{site} {contract} ({kind}, {source})"
    )


def _hours(t: TierReport) -> list[str]:
    unit, size = scale_for([h.standing for h in t.hours], TIME)
    lines = [f"{'Accelerator-' + unit:26}" + "".join(f"{use:>11}" for use in USES)]
    for h in t.hours:
        values = (figure(getattr(h, use) / size, 4) for use in USES)
        lines.append(f"  {h.site + '/' + h.pool:24}" + "".join(f"{v:>11}" for v in values))
    shares = (
        f"{label} {'-' if (v := getattr(t.utilisation, field)) is None else f'{v:.1%}'}"
        for label, field in SHARES.items()
    )
    return [*lines, "  " + "; ".join(shares)]


def carbon_line(t: TierReport) -> str:
    """What was emitted, counted both ways."""
    c = t.carbon
    text = (
        f"CO2: {quantity(c.location_kg, CARBON)} by the grids of the sites (location-based), "
        f"{quantity(c.market_kg, CARBON)} by the power contracts (market-based)"
    )
    if c.location_g_per_mtok is None or c.market_g_per_mtok is None:
        return f"{text}."
    return (
        f"{text}; for a million tokens {figure(c.location_g_per_mtok)} and "
        f"{figure(c.market_g_per_mtok)} g, idle time apart."
    )


def _models(t: TierReport) -> list[str]:
    head = ("Mtok", "cost", "with idle", "sold at", "market low", "median", "high", "CO2 place",
            "contract")  # fmt: skip
    unit = f"{t.currency} and g CO2 per Mtok"
    lines = [f"{unit:34}" + "".join(f"{name:>12}" for name in head)]
    lines += [
        f"  {m.model:32}{figure(m.tokens / 1e6):>12}" + "".join(_model_row(m)) for m in t.models
    ]
    return [*lines, f"  {carbon_line(t)}"]


def _model_row(m: ModelLine) -> list[str]:
    prices = (m.cost, m.cost_with_idle, m.sold, m.market_low, m.market_median, m.market_high)
    return [
        *(f"{unit_price(v):>12}" for v in prices),
        *(
            f"{'-':>12}" if v is None else f"{figure(v):>12}"
            for v in (m.carbon_g_location, m.carbon_g_market)
        ),
    ]


def _groups(t: TierReport, places: int) -> list[str]:
    unit, size = scale_for([g.accelerator_hours for g in t.groups], TIME)
    head = ("power", "accelerator", "token", "cost", "revenue", "margin", "Mtok", unit)
    named = f"By {', '.join(t.by)}"
    lines = [f"{named:44}" + "".join(f"{name:>14}" for name in head)]
    for g in t.groups:
        amounts = (g.power, g.accelerator_hour, g.token, g.cost, g.revenue, g.margin)
        lines.append(
            f"  {group_name(g, t.by):42}"
            + "".join(f"{_plain(a, places):>14}" for a in amounts)
            + f"{figure(g.tokens / 1e6):>14}{figure(g.accelerator_hours / size, 4):>14}"
        )
    return lines


def group_name(g: GroupLine, by: Sequence[str]) -> str:
    """What a group is called; a dash where it belongs to none."""
    return " / ".join(str(getattr(g, name)) or "-" for name in by)
