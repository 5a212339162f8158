"""Cost and margin by tier as text."""

from __future__ import annotations

from decimal import Decimal

from neocloud.books.tiers import TierReport
from neocloud.books.tiers.records import GroupLine, ModelLine

TIER_NAMES = {"power": "power", "accelerator_hour": "accelerator-hour", "token": "token"}
_SHARES = {
    "contracted / sellable": "contracted",
    "used / sellable": "used",
    "busy / held by replicas": "busy",
    "goodput": "goodput",
    "inference / used": "inference_of_used",
    "inference / sellable": "inference_of_sellable",
}


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
    """Tiers, identity, power contracts, hours, models and groups, a line each."""
    places = decimals_for(t.tiers[-1].cost_so_far)

    def money(value: Decimal | None) -> str:
        return f"{'-':>18}" if value is None else f"{value:>18,.{places}f}"

    head = ("cost", "so far", "if sold", "margin")
    lines = [f"{'By tier, ' + t.currency:44}" + "".join(f"{name:>18}" for name in head)]
    for tier in t.tiers:
        name = f"{TIER_NAMES[tier.tier]} ({tier.quantity:,.4g} {tier.unit})"
        row = (tier.cost, tier.cost_so_far, tier.revenue, tier.margin)
        lines.append(f"  {name:42}" + "".join(money(value) for value in row))
        lines += [f"    {line.name:40}{money(line.amount)}" for line in tier.lines]
    i = t.identity
    whole = _plain(i.power + i.accelerator_hour + i.token, places)
    sums = f"cash {_plain(i.cash, places)} + not cash {_plain(i.non_cash, places)}"
    lines += [
        f"  Tiers {whole} = {sums}; difference {i.difference:f}, of rounding {i.residue:f}",
        "  If sold: " + "; ".join(f"{TIER_NAMES[x.tier]}, {x.basis}" for x in t.tiers) + ".",
        "",
        *_power(t, places),
        "",
        *_hours(t),
        "",
        *_models(t),
        "",
        *_groups(t, places),
    ]
    return lines + [f"  Note: {note}." for note in t.notes]


def _plain(value: Decimal, places: int) -> str:
    return f"{value:,.{places}f}"


def _power(t: TierReport, places: int) -> list[str]:
    head = ("MWh drawn", "obliged", "peak kW", "energy", "not drawn", "demand", "carbon")
    lines = [f"{'Power contracts':34}{'per MWh':>12}" + "".join(f"{name:>14}" for name in head)]
    for p in t.power:
        name = f"{p.site} {p.contract} ({p.kind}, {p.source})"
        amounts = (p.energy, p.undrawn, p.demand_charge, p.carbon)
        lines.append(
            f"  {name:32}{p.price_per_mwh:>12,.2f}{p.drawn_mwh:>14,.4g}{p.obliged_mwh:>14,.4g}"
            f"{p.peak_kw:>14,.4g}" + "".join(f"{_plain(a, places):>14}" for a in amounts)
        )
    return lines


def _hours(t: TierReport) -> list[str]:
    uses = ("standing", "sellable", "inference", "busy", "training", "backfill", "test", "down",
            "spare", "idle")  # fmt: skip
    lines = [f"{'Accelerator-hours':26}" + "".join(f"{use:>11}" for use in uses)]
    for h in t.hours:
        place = f"{h.site}/{h.pool}"
        lines.append(f"  {place:24}" + "".join(f"{getattr(h, use):>11,.4g}" for use in uses))
    shares = (
        f"{label} {'-' if (v := getattr(t.utilisation, field)) is None else f'{v:.1%}'}"
        for label, field in _SHARES.items()
    )
    return [*lines, "  " + "; ".join(shares)]


def _models(t: TierReport) -> list[str]:
    head = ("Mtok", "cost", "with idle", "sold at", "market low", "median", "high", "CO2 place",
            "contract")  # fmt: skip
    unit = f"{t.currency} and g CO2 per Mtok"
    lines = [f"{unit:34}" + "".join(f"{name:>12}" for name in head)]
    lines += [f"  {m.model:32}{m.tokens / 1e6:>12,.4g}" + "".join(_model_row(m)) for m in t.models]
    return lines


def _model_row(m: ModelLine) -> list[str]:
    prices = (m.cost, m.cost_with_idle, m.sold, m.market_low, m.market_median, m.market_high)
    return [
        *(f"{'-':>12}" if v is None else f"{v:>12,.4f}" for v in prices),
        *(
            f"{'-':>12}" if v is None else f"{v:>12,.1f}"
            for v in (m.carbon_g_location, m.carbon_g_market)
        ),
    ]


def _groups(t: TierReport, places: int) -> list[str]:
    head = ("power", "accelerator", "token", "cost", "revenue", "margin", "Mtok", "hours")
    named = f"By {', '.join(t.by)}"
    lines = [f"{named:44}" + "".join(f"{name:>14}" for name in head)]
    for g in t.groups:
        amounts = (g.power, g.accelerator_hour, g.token, g.cost, g.revenue, g.margin)
        lines.append(
            f"  {group_name(g, t.by):42}"
            + "".join(f"{_plain(a, places):>14}" for a in amounts)
            + f"{g.tokens / 1e6:>14,.4g}{g.accelerator_hours:>14,.4g}"
        )
    return lines


def group_name(g: GroupLine, by: tuple[str, ...]) -> str:
    """What a group is called; a dash where it belongs to none."""
    return " / ".join(str(getattr(g, name)) or "-" for name in by)
