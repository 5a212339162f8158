"""What the page draws: the waterfall of costs, use, and the bridges between costs."""

from __future__ import annotations

from neocloud.books.board.charts import Bar, bars, key, stacks, stepped
from neocloud.books.side_by_side.records import Bridge, Comparison
from neocloud.books.side_by_side.text import columns_of
from neocloud.books.side_by_side.tier_text import TIER_NAMES, decimals_for, signed
from neocloud.books.tiers import TierReport

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
    names = key([(TIER_NAMES[tier.tier], tier.tier) for tier in t.tiers])
    return f"{bars(drawn, 'Costs by tier, revenue and margin')}\n<p>{names}</p>"


def tiers_picture(t: TierReport) -> str:
    """Of each tier, what it cost so far beside what it would have earned if sold."""
    drawn = []
    for tier in t.tiers:
        name = TIER_NAMES[tier.tier]
        drawn.append(_step(f"{name}: cost", 0.0, float(tier.cost_so_far), tier.tier))
        if tier.revenue is not None:
            drawn.append(_step(f"{name}: if sold", 0.0, float(tier.revenue), "earned"))
    return bars(drawn, "Cost so far and revenue of each tier")


def shares_picture(t: TierReport) -> str:
    """The four utilisations, each over what it is a share of."""
    u = t.utilisation
    shares = {
        "contracted / sellable": u.contracted,
        "used / sellable": u.used,
        "busy / held by replicas": u.busy,
        "goodput / requests": u.goodput,
        "inference / used": u.inference_of_used,
    }
    rows = [
        (name, [(f"{value:.1%}", "level", value)])
        for name, value in shares.items()
        if value is not None
    ]
    return stacks(rows, "Utilisations", 1.0)


def hours_picture(t: TierReport) -> str:
    """Accelerator-hours of each pool by use."""
    rows = [
        (
            f"{h.site}/{h.pool}",
            [
                (f"{label}: {size:,.4g} h", colour, size)
                for label, colour, fields in _USES
                if (size := sum(getattr(h, field) for field in fields)) > 0.0
            ],
        )
        for h in t.hours
    ]
    names = key([(label, colour) for label, colour, _ in _USES])
    return f"{stacks(rows, 'Accelerator-hours by use')}\n<p>Accelerator-hours:{names}</p>"


def costs_picture(c: Comparison, currency: str) -> str:
    """Cost of a million tokens in each column that has one."""
    rows = [
        (
            f"{name}: {side.cost_per_mtok.total:.4g} {currency}",
            [
                (f"{tier}: {getattr(side.cost_per_mtok, tier):.4g}", tier,
                 getattr(side.cost_per_mtok, tier))
                for tier in _COSTS
            ],
        )
        for name, side in columns_of(c).items()
        if side.cost_per_mtok is not None
    ]  # fmt: skip
    return stacks(rows, f"{c.model}: cost of a million tokens")


def bridge_picture(bridge: Bridge) -> str:
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
    return stepped(start, steps, end, f"From {bridge.start} to {bridge.end} cost")


def _step(label: str, since: float, amount: float, colour: str) -> Bar:
    return Bar(label=label, since=since, to=since + amount, colour=colour, text=f"{amount:,.3g}")
