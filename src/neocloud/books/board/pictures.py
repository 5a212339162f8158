"""What the page draws: the waterfall of costs, use, and the bridges between costs."""

from __future__ import annotations

from html import escape

from neocloud.books.board.charts import Bar, Column, bars, key, paired, stacks, stepped
from neocloud.books.side_by_side.figures import TIME, figure, quantity
from neocloud.books.side_by_side.records import Bridge, Comparison
from neocloud.books.side_by_side.text import columns_of
from neocloud.books.side_by_side.tier_text import (
    SHARES,
    TIER_NAMES,
    decimals_for,
    signed,
    trend_name,
)
from neocloud.books.tiers import TierReport
from neocloud.books.tiers.records import Invoiced

_EARNED = [("all costs", "level"), ("revenue, margin", "earned"), ("loss", "lost")]
_SOLD = [("if sold", "earned")]
_COSTS = ("power", "capital", "operations", "network")
_USES = (
    ("inference", "inference", ("inference",)),
    ("training", "training", ("training",)),
    ("backfill and test", "other", ("backfill", "test")),
    ("down", "lost", ("down",)),
    ("spare", "spare", ("spare",)),
    ("idle", "idle", ("idle",)),
)
_SMALL = 0.01
"""Share of all costs below which lines of a tier are drawn as one."""
_DWARFS = 20.0
"""Times the largest of other bars beyond which one bar would make them vanish."""


def waterfall_picture(t: TierReport) -> str:
    """Every cost, tier by tier, up to the whole; then what was earned."""
    whole = float(t.tiers[-1].cost_so_far)
    drawn, level = [], 0.0
    for tier in t.tiers:
        rest = 0.0
        for line in tier.lines:
            amount = float(line.amount)
            if amount < _SMALL * whole:
                rest += amount
                continue
            drawn.append(_step(line.name, level, amount, tier.tier))
            level += amount
        if rest > 0.0:
            name = f"other {TIER_NAMES[tier.tier]}"
            drawn.append(_step(name, level, rest, tier.tier))
            level += rest
    last = t.tiers[-1]
    revenue, margin = float(last.revenue or 0), float(last.margin or 0)
    drawn.append(_step("all costs", 0.0, whole, "level"))
    drawn.append(_step("revenue", 0.0, revenue, "earned"))
    drawn.append(_step("margin", 0.0, margin, "earned" if margin >= 0.0 else "lost"))
    names = key([(TIER_NAMES[tier.tier], tier.tier) for tier in t.tiers] + _EARNED)
    title = "Every cost of the period, tier by tier, then revenue and margin"
    return _figure(title, bars(drawn, title, t.currency), names)


def tiers_picture(t: TierReport) -> str:
    """Of each tier, what it cost so far beside what it would have earned if sold."""
    drawn = []
    for tier in t.tiers:
        name = TIER_NAMES[tier.tier]
        drawn.append(_step(f"{name}: cost so far", 0.0, float(tier.cost_so_far), tier.tier))
        if tier.revenue is not None:
            drawn.append(_step(f"{name}: if sold", 0.0, float(tier.revenue), "earned"))
    names = key([(f"cost up to {TIER_NAMES[tier.tier]}", tier.tier) for tier in t.tiers] + _SOLD)
    title = "What each tier cost so far, and what it would have earned if sold there"
    return _figure(title, bars(drawn, title, t.currency), names)


def invoiced_picture(i: Invoiced, currency: str) -> str:
    """From revenue at list prices to the invoices; nothing where they are the same."""
    if not i.differences:
        return ""
    level = float(i.tiers)
    start = _step("list prices", 0.0, level, "level")
    steps = []
    for each in i.differences:
        amount = float(each.amount)
        steps.append(_step(each.cause, level, amount, "earned" if amount > 0.0 else "lost"))
        level += amount
    end = _step("as invoiced", 0.0, float(i.invoiced), "level")
    drawn = bars([start, *steps, end], "From list prices to the invoices", currency)
    return _figure("Revenue at list prices, and what separates it from the invoices", drawn, "")


def trend_picture(t: TierReport) -> str:
    """Cost by tier and revenue of each month, day or hour; nothing of a period without a course."""
    if not t.trend:
        return ""
    sums = [
        (trend_name(g), float(g.power), float(g.accelerator_hour), float(g.token),
         float(g.revenue))
        for g in t.trend
    ]  # fmt: skip
    columns = [
        Column(
            label=name,
            parts=(("power", power), ("accelerator_hour", hours), ("token", token)),
            beside=("earned", revenue),
        )
        for name, power, hours, token, revenue in sums
    ]
    names = key([(TIER_NAMES[tier.tier], tier.tier) for tier in t.tiers] + [("revenue", "earned")])
    grain = next(n for n in ("month", "day", "hour") if isinstance(getattr(t.trend[0], n), str))
    drawn = paired(columns, f"Cost and revenue by {grain}", t.currency)
    return _figure(f"Cost by tier, and revenue, by {grain} (UTC)", drawn, names)


def prices_picture(t: TierReport) -> str:
    """What a million tokens of each model cost, sell for, and cost elsewhere."""
    rows: list[tuple[str, list[tuple[str, str, float]]]] = []
    others = [v for m in t.models for v in (m.cost, m.sold, m.market_high) if v is not None]
    for m in t.models:
        found = {
            "cost": (m.cost, "accelerator_hour"),
            "with idle time": (_within(m.cost_with_idle, others), "idle"),
            "sold at": (m.sold, "earned"),
            "market, low": (m.market_low, "spare"),
            "market, median": (m.market_median, "spare"),
            "market, high": (m.market_high, "spare"),
        }
        rows += [
            (f"{m.model}: {name}", [(f"{figure(value)} {t.currency}", colour, value)])
            for name, (value, colour) in found.items()
            if value is not None
        ]
    if not rows:
        return ""
    title = f"A million tokens, input and output as they came, {t.currency}"
    names = key([("own cost", "accelerator_hour"), ("with its part of idle time", "idle"),
                 ("sold at", "earned"), ("providers of the catalog", "spare")])  # fmt: skip
    return _figure(title, stacks(rows, title), names)


def shares_picture(t: TierReport) -> str:
    """The four utilisations, each over what it is a share of."""
    rows = [
        (name, [(f"{value:.1%}", "level", value)])
        for name, field in SHARES.items()
        if (value := getattr(t.utilisation, field)) is not None
    ]
    title = "Utilisation: ratios of different wholes, never mixed"
    return _figure(title, stacks(rows, title, 1.0), "")


def hours_picture(t: TierReport) -> str:
    """Accelerator-hours of each pool by use."""
    rows = [
        (
            f"{h.site}/{h.pool}",
            [
                (f"{label}: {quantity(size, TIME)}", colour, size)
                for label, colour, fields in _USES
                if (size := sum(getattr(h, field) for field in fields)) > 0.0
            ],
        )
        for h in t.hours
    ]
    there = {label for _, parts in rows for label in (part[0].split(":")[0] for part in parts)}
    names = key([(label, colour) for label, colour, _ in _USES if label in there])
    title = "Accelerator-hours of each pool by use"
    return _figure(title, stacks(rows, title), names)


def costs_picture(c: Comparison, currency: str) -> str:
    """Cost of a million tokens in each column that has one."""
    rows = [
        (
            f"{name}: {figure(side.cost_per_mtok.total)} {currency}",
            [
                (f"{tier}: {figure(getattr(side.cost_per_mtok, tier))}", tier,
                 getattr(side.cost_per_mtok, tier))
                for tier in _COSTS
            ],
        )
        for name, side in columns_of(c).items()
        if side.cost_per_mtok is not None
    ]  # fmt: skip
    names = key([(tier, tier) for tier in _COSTS])
    title = f"{c.model}: cost of a million tokens by tier"
    return _figure(title, stacks(rows, title), names)


def bridge_picture(bridge: Bridge, currency: str) -> str:
    """One cost, what each cause adds, the other cost."""
    level = bridge.start_pico / 1e12
    start = _step(bridge.start, 0.0, level, "level")
    steps = []
    decimals = decimals_for(level, 3)
    for step in bridge.steps:
        colour = "more" if step.adds > 0.0 else "less"
        steps.append(
            Bar(
                label=step.cause,
                since=level,
                to=level + step.adds,
                colour=colour,
                text=signed(step.adds, decimals),
            )
        )
        level += step.adds
    end = _step(bridge.end, 0.0, bridge.end_pico / 1e12, "level")
    title = f"From {bridge.start} to {bridge.end} cost of a million tokens, by cause"
    names = key([("dearer", "more"), ("cheaper", "less")])
    unit = f"{currency} per million tokens"
    return _figure(title, stepped(start, steps, end, title, unit), names)


def _within(value: float | None, others: list[float]) -> float | None:
    """A value unless the others would vanish beside it; the table has it all the same."""
    if value is None or value > _DWARFS * max(others, default=0.0):
        return None
    return value


def _figure(title: str, picture: str, names: str) -> str:
    """A picture with its title and, where it has one, its key."""
    below = f"\n<p>{names}</p>" if names else ""
    return (
        f"<figure>\n<figcaption>{escape(title)}</figcaption>\n"
        f'<div class="scroll">{picture}</div>{below}\n</figure>'
    )


def _step(label: str, since: float, amount: float, colour: str) -> Bar:
    return Bar(label=label, since=since, to=since + amount, colour=colour, text=figure(amount))
