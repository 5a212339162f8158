"""What a stress test says. Money is in units of the cloud's currency, rates are by year.

None: there is nothing to say (no debt, no sign change of an owner's cash), or it never happens.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

SCHEMA: Final = "neocloud.stress/1"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A number that is put in.

    Attributes:
        name: what it is.
        value: how much.
        unit: of it.
        source: where it is from, or that it is an assumption.
    """

    name: str
    value: float
    unit: str
    source: str


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """A covenant that is broken, or a bill that is not paid.

    Attributes:
        month: as `2027-04`.
        facility: facility key; empty where it is the whole company's bills.
        measure: covenant as in the measures; `payment` for bills.
    """

    month: str
    facility: str
    measure: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One case in figures.

    Attributes:
        revenue: of all months.
        ebitda: of all months.
        cfads: of all months, prepayments as credited.
        min_dscr: least DSCR of trailing twelve months.
        min_dscr_month: when.
        min_dscr_facility: whose.
        min_llcr: least LLCR.
        max_ltv: most LTV.
        first_breach: of covenants (a lock-up is none) and bills.
        runway_months: months until cash ends below the minimum; None: it never does.
        equity_irr: of owners.
        equity_cash: what owners get less what they pay in.
    """

    revenue: float
    ebitda: float
    cfads: float
    min_dscr: float | None
    min_dscr_month: str | None
    min_dscr_facility: str | None
    min_llcr: float | None
    max_ltv: float | None
    first_breach: Breach | None
    runway_months: int | None
    equity_irr: float | None
    equity_cash: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A case less the base case."""

    revenue: float
    ebitda: float
    cfads: float
    min_dscr: float | None
    min_llcr: float | None
    max_ltv: float | None
    equity_irr: float | None
    equity_cash: float


class ScenarioResult(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario and what came of it.

    Attributes:
        name: as it is asked for.
        title: in a few words.
        sentence: what happens.
        parameters: how much.
        moves: False where no figure is another than in the base case.
        figures: what came of it.
        change: from the base case.
    """

    name: str
    title: str
    sentence: str
    parameters: tuple[Parameter, ...]
    moves: bool
    figures: Figures
    change: Change


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """The bad end of a measure over paths.

    Attributes:
        measure: `min_dscr` or `equity_cash`.
        share: of paths that are the bad end.
        value_at_risk: the best of them.
        expected_shortfall: their mean.
        paths: how many have the measure.
    """

    measure: str
    share: float
    value_at_risk: float | None
    expected_shortfall: float | None
    paths: int


class Quantile(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a share of paths does not exceed."""

    share: float
    value: float | None


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """A measure over paths.

    Attributes:
        measure: `min_dscr`, `equity_irr` (-1 where all is lost) or `runway_months` (the whole
            model where it never ends).
        mean: over paths that have it.
        quantiles: from low to high.
        paths: how many have it.
    """

    measure: str
    mean: float | None
    quantiles: tuple[Quantile, ...]
    paths: int


class BreachChance(msgspec.Struct, frozen=True, kw_only=True):
    """How likely a covenant is broken.

    Attributes:
        facility: facility key; empty for bills.
        measure: covenant; `payment` for bills.
        by_month: share of paths that have broken it by the end of each month.
        first: share of paths in which it is the first to break.
    """

    facility: str
    measure: str
    by_month: tuple[float, ...]
    first: float


class FirstBreach(msgspec.Struct, frozen=True, kw_only=True):
    """What breaks first, over paths.

    Attributes:
        share: of paths in which anything breaks.
        by_month: share of paths in which it is this month.
        by_factor: share of the paths with a breach in which this factor was the most extreme one
            until then: the highest rank among all paths, of its mean until the month. Factors that
            can move something of this cloud are there.
    """

    share: float
    by_month: tuple[float, ...]
    by_factor: dict[str, float]


class Fan(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles of a line by month.

    Attributes:
        measure: `dscr`, `cash` or `revenue`.
        shares: which quantiles.
        by_month: one tuple a month, with one value a share; None where no path has one.
        base: the base case.
    """

    measure: str
    shares: tuple[float, ...]
    by_month: tuple[tuple[float | None, ...], ...]
    base: tuple[float | None, ...]


class MonteCarlo(msgspec.Struct, frozen=True, kw_only=True):
    """What many paths say.

    Attributes:
        paths: how many.
        seed: of chance.
        parameters: of the processes.
        factors: names of rows and columns of `correlations`.
        correlations: of the monthly innovations.
        distributions: of the measures.
        tails: their bad ends.
        breaches: of each covenant.
        first: what breaks first.
        fans: by month.
        base_difference: largest relative difference of the path on which nothing happens from the
            exact model.
    """

    paths: int
    seed: int
    parameters: tuple[Parameter, ...]
    factors: tuple[str, ...]
    correlations: tuple[tuple[float, ...], ...]
    distributions: tuple[Distribution, ...]
    tails: tuple[Tail, ...]
    breaches: tuple[BreachChance, ...]
    first: FirstBreach
    fans: tuple[Fan, ...]
    base_difference: float


Verdict = Literal["found", "already", "never", "nothing"]


class Smallest(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest shock of a kind that takes the least DSCR to the target.

    Attributes:
        lever: kind of shock.
        title: in words.
        unit: of its size.
        size: the shock that counts as one: that of the scenario.
        bound: the largest that was tried.
        level: found; None if there is none.
        sizes: level over size.
        dscr: least DSCR there.
        outcome: `found`; `already` where the base case is below; `never` within the bound;
            `nothing` where no DSCR is tested.
    """

    lever: str
    title: str
    unit: str
    size: float
    bound: float
    level: float | None
    sizes: float | None
    dscr: float | None
    outcome: Verdict


class Reverse(msgspec.Struct, frozen=True, kw_only=True):
    """Reverse stress.

    Attributes:
        target: of the least DSCR.
        alone: of each kind.
        together: levels of the smallest combination, in the order of its levers; empty if none.
        norm: of the combination: root of the sum of squares of levels, each in its size.
        norm_text: the same in words.
        dscr: least DSCR there.
        outcome: as in `Smallest`.
    """

    target: float
    alone: tuple[Smallest, ...]
    together: tuple[Parameter, ...]
    norm: float | None
    norm_text: str
    dscr: float | None
    outcome: Verdict


class Swing(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of the tornado.

    Attributes:
        factor: what moves.
        title: in words.
        unit: of the range.
        low: lower end of its range, as a difference to the base case.
        high: upper end.
        min_dscr_low: least DSCR at the lower end.
        min_dscr_high: at the upper.
        equity_irr_low: of owners, at the lower end.
        equity_irr_high: at the upper.
        source: of the range.
    """

    factor: str
    title: str
    unit: str
    low: float
    high: float
    min_dscr_low: float | None
    min_dscr_high: float | None
    equity_irr_low: float | None
    equity_irr_high: float | None
    source: str


class StressReport(msgspec.Struct, frozen=True, kw_only=True):
    """A stress test.

    Attributes:
        schema: of this record.
        cloud: name of the cloud.
        currency: of all money.
        reconstruction: what a file that reconstructs a company says of itself; empty of any other.
        months: of the model, as `2026-01`.
        dscr_facilities: facilities whose DSCR counts.
        base: the base case.
        scenarios: in the order in which they were asked for.
        without_market: contracts for whose accelerators no market price is known, so that nothing
            of what their customers leave is let again.
        tornado: the widest first.
        monte_carlo: None if not asked for.
        reverse: None if not asked for.
    """

    schema: str = SCHEMA
    cloud: str
    currency: str
    reconstruction: str = ""
    months: tuple[str, ...]
    dscr_facilities: tuple[str, ...]
    base: Figures
    scenarios: tuple[ScenarioResult, ...]
    without_market: tuple[str, ...] = ()
    tornado: tuple[Swing, ...]
    monte_carlo: MonteCarlo | None = None
    reverse: Reverse | None = None
