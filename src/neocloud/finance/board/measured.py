"""The indicators for a report: series as numbers; whom each whole depends on when it is most."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from neocloud.books.tiers.exact import from_pico
from neocloud.finance.board.indicator_records import (
    CohortReport,
    Dependence,
    Holder,
    Indicator,
    IndicatorPoint,
    IndicatorReport,
    Part,
)
from neocloud.finance.indicators import Concentration, Indicators, Series, Share
from neocloud.finance.indicators import Dependence as Whole
from neocloud.finance.lender.shown import ratio

AGES = (3, 6, 12)
"""Months after which cohorts are looked at."""


def indicator_report(indicators: Indicators) -> IndicatorReport:
    """The indicators part."""
    wholes = (indicators.revenue, indicators.backlog, *indicators.cash)
    notes = [
        *indicators.component_cost.notes, *indicators.inference.notes, *indicators.cohorts.notes,
        *indicators.pipeline.notes,
    ]  # fmt: skip
    earning = [month.month for month in indicators.revenue.months if month.whole > 0]
    return IndicatorReport(
        at=earning[0] if earning else indicators.revenue.months[0].month,
        series=tuple(_series(one) for one in indicators.series()),
        dependences=tuple(_dependence(whole) for whole in wholes),
        cohorts=tuple(
            CohortReport(
                month=cohort.month,
                customers=cohort.customers,
                still=tuple(cohort.still_in_words(age) for age in AGES),
            )
            for cohort in indicators.cohorts.cohorts
        ),
        notes=tuple(dict.fromkeys(notes)),
    )


def _series(series: Series) -> Indicator:
    return Indicator(
        key=series.key,
        name=series.name,
        unit=series.unit,
        points=tuple(
            IndicatorPoint(
                month=point.month,
                origin=point.origin,
                value=_float(point.value),
                unknown=point.unknown,
                change=_float(point.change),
                parts=tuple(Part(name=part.name, value=float(part.value)) for part in point.parts),
                trend=_float(point.trend),
            )
            for point in series.points
        ),
    )


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _dependence(whole: Whole) -> Dependence:
    """A whole in the month in which it is largest; of several the first."""
    month = max(whole.months, key=lambda item: item.whole)
    return Dependence(
        key=whole.key,
        name=whole.name,
        month=month.month,
        whole=from_pico(month.whole),
        customers=_holders(month.customers),
        anchors=month.anchors,
        by_credit=_holders(month.by_credit),
        by_model=_holders(month.by_model),
        by_lab=_holders(month.by_lab),
        hhi=None if month.hhi is None else ratio(month.hhi),
        effective=None if month.effective is None else ratio(month.effective),
        notes=_told(whole, month),
    )


def _told(whole: Whole, month: Concentration) -> tuple[str, ...]:
    return (*whole.notes, month.unknown) if month.unknown else whole.notes


def _holders(shares: Iterable[Share]) -> tuple[Holder, ...]:
    return tuple(
        Holder(name=share.name, amount=from_pico(share.pico), share=ratio(share.share))
        for share in shares
    )
