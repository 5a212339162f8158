"""The indicators part as text of a hundred columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from neocloud.finance.board.figures import percent, quantity
from neocloud.finance.board.indicator_records import Dependence, Holder, Indicator, IndicatorReport
from neocloud.finance.board.text import WIDTH, wrapped

_AHEAD = 12
_MOST = 5
"""Customers that are named."""
_SMALL = 1e-9


def indicator_text(report: IndicatorReport, cloud: str) -> str:
    """Lay the indicators out: in a month, a year later, at the end; then whom all depends on."""
    lines = [f"{cloud}: indicators", ""]
    lines.append(
        f"{'':40}{report.at:>12}{'a year later':>14}{'at the end':>12}{'trend/month':>13}  origin"
    )
    hidden = []
    for one in report.series:
        if one.key.startswith("diversification.cfads"):
            continue
        if any(point.value for point in one.points):
            lines += _series_lines(one, report.at)
        else:
            hidden.append(one)
    if hidden:
        lines += ["", *_unknown(hidden)]
    for wholes in alike(report.dependences):
        lines += ["", *_dependence_lines(wholes)]
    if report.cohorts:
        lines += [
            "",
            "Customers by the month of their first training: still buying inference after",
        ]
        lines.append(
            f"  {'month':10}{'customers':>10}  {'3 months':36}{'6 months':20}{'12 months':18}"
        )
        for cohort in report.cohorts:
            three, six, twelve = (text.replace("not known before the end of", "known after")
                                  for text in cohort.still)  # fmt: skip
            count = len(cohort.customers)
            lines.append(f"  {cohort.month:10}{count:>10}  {three:36}{six:20}{twelve:18}")
    for note in report.notes:
        lines += wrapped(f"Note: {note}", WIDTH)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def months_shown(one: Indicator, at: str) -> tuple[int, int, int]:
    """Places of the month that is asked for, a year later, and the last that is known."""
    places = {point.month: place for place, point in enumerate(one.points)}
    first = places.get(at, 0)
    known = [place for place, point in enumerate(one.points) if point.value is not None]
    return first, min(first + _AHEAD, len(one.points) - 1), known[-1] if known else 0


def moved(one: Indicator, since: int, until: int) -> list[tuple[str, float]]:
    """What moved an indicator between two of its months, summed by cause, the most first."""
    sums: dict[str, float] = {}
    for point in one.points[since + 1 : until + 1]:
        for part in point.parts:
            sums[part.name] = sums.get(part.name, 0.0) + part.value
    kept = [(name, value) for name, value in sums.items() if abs(value) > _SMALL]
    return sorted(kept, key=lambda item: (-abs(item[1]), item[0]))


def _series_lines(one: Indicator, at: str) -> list[str]:
    places = months_shown(one, at)
    cells = [quantity(one.points[place].value, one.unit) for place in places]
    trend = one.points[places[2]].trend
    told = "-" if trend is None else quantity(trend, one.unit)
    unit = "" if one.unit == "share" else f" ({one.unit})"
    names = wrapped(f"  {one.name}{unit}", 39)
    origin = one.points[places[0]].origin
    lines = [f"{names[0]:40}{cells[0]:>12}{cells[1]:>14}{cells[2]:>12}{told:>13}  {origin}"]
    lines += names[1:]
    causes = moved(one, places[0], places[1])[:3]
    if causes:
        said = ", ".join(f"{name} {'+' if v > 0 else ''}{quantity(v, one.unit)}"
                         for name, v in causes)  # fmt: skip
        lines += wrapped(f"    moved within the year by: {said}", WIDTH)
    return lines


def _unknown(hidden: Sequence[Indicator]) -> list[str]:
    """Indicators that no month knows, by the reason, and those that are 0 throughout."""
    reasons: dict[str, list[str]] = {}
    for one in hidden:
        told = [point.unknown for point in one.points if point.value is None]
        zero = len(told) < len(one.points) or not told
        reason = "Always 0" if zero else f"Not known, {told[0]}"
        reasons.setdefault(reason, []).append(one.name)
    return [
        line
        for reason, names in reasons.items()
        for line in wrapped(f"{reason}: {', '.join(names)}", WIDTH)
    ]


def alike(wholes: Iterable[Dependence]) -> list[list[Dependence]]:
    """Wholes in groups of those that depend on the same customers in the same shares."""
    groups: dict[object, list[Dependence]] = {}
    for whole in wholes:
        shares = tuple((holder.name, holder.share) for holder in whole.customers)
        own = whole.key if not whole.key.startswith("cfads.") or not shares else ""
        groups.setdefault((whole.month, shares, own), []).append(whole)
    return list(groups.values())


def names_of(wholes: Sequence[Dependence]) -> str:
    """The names of wholes that are alike: `cash for a, b`."""
    if len(wholes) == 1:
        return wholes[0].name
    if len(wholes) > _MOST:
        return f"cash for each of {len(wholes)} facilities"
    return "cash for " + ", ".join(whole.key.removeprefix("cfads.") for whole in wholes)


def _dependence_lines(wholes: Sequence[Dependence]) -> list[str]:
    whole, name = wholes[0], names_of(wholes)
    if not whole.customers:
        return wrapped(f"Customers in {name}: {'; '.join(whole.notes) or 'none is named'}", WIDTH)
    top = [holder.share for holder in whole.customers]
    tops = [(n, sum(top[:n], Decimal(0))) for n in (1, 3, 5) if n <= len(top)]
    shares = ", ".join(f"top {n} {percent(share)}" for n, share in tops)
    index = "" if whole.hhi is None or whole.effective is None else (
        f"; HHI {whole.hhi:.2f}, as concentrated as {whole.effective:.1f} equal customers"
    )  # fmt: skip
    lines = wrapped(f"Customers in {name}, {whole.month}: {shares}{index}", WIDTH)
    lines += wrapped(f"  customers: {_named(whole.customers)}", WIDTH)
    lines += wrapped(f"  by credit: {_named(whole.by_credit)}", WIDTH)
    lines += wrapped(f"  by model: {_named(whole.by_model)}", WIDTH)
    lines += wrapped(f"  by lab: {_named(whole.by_lab)}", WIDTH)
    if whole.anchors:
        lines += wrapped(f"  anchors above 10 %: {', '.join(whole.anchors)}", WIDTH)
    return lines


def _named(holders: Iterable[Holder]) -> str:
    listed = list(holders)
    told = [f"{holder.name} {percent(holder.share)}" for holder in listed[:_MOST]]
    rest = len(listed) - _MOST
    return ", ".join([*told, *([f"{rest} more"] if rest > 0 else [])])
