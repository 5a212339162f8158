"""Whether a cloud file knows anything of the quarter that it is to forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from figure_formulas import FormulaError, evaluate
from figures import Figure
from written import Stated, names, rounded, stated


def used(text: str, figures: Mapping[str, Figure]) -> tuple[str, ...]:
    """Ids of the figures that a file's numbers come from, through its names.

    Raises:
        FormulaError: A formula names what is not there.
    """
    return tuple(_reckoned(text, figures)[1])


def late(text: str, figures: Mapping[str, Figure], first: date, cut_off: date) -> Sequence[str]:
    """Figures of a file that nobody could have had: about the quarter, or published too late.

    Args:
        text: the file.
        figures: all of them.
        first: first day of the quarter that is forecast.
        cut_off: last day on which an outlook or an announcement counts.
    """
    told = []
    for key in used(text, figures):
        one = figures[key]
        of_before = one.about is not None and one.about < first and not one.outlook
        told_before = one.known is not None and one.known <= cut_off
        if not of_before and not told_before:
            told.append(f"{key} is about {one.period}, known from {one.known}")
    return told


def wrong(text: str, figures: Mapping[str, Figure]) -> Sequence[str]:
    """Numbers of a file that their formula does not give, or that say nothing of their source."""
    values = _reckoned(text, figures)[0]
    told = []
    for one in stated(text):
        if not one.formula and not one.assumption:
            told.append(f"line {one.line}: {one.key} does not say where it is from")
        elif one.formula and one.text != (expected := _shown(one, values)):
            told.append(f"line {one.line}: {one.key} is {one.text}, its formula gives {expected}")
    return told


def _shown(one: Stated, values: Mapping[str, Decimal]) -> str:
    places = len(one.text.partition(".")[2])
    return rounded(evaluate(one.formula, values)[0], places)


def _reckoned(
    text: str, figures: Mapping[str, Figure]
) -> tuple[Mapping[str, Decimal], Mapping[str, None]]:
    """Values of figures and names, and the figures that any number uses."""
    values = {key: one.number for key, one in figures.items()}
    met: dict[str, None] = {}
    formulas = list(names(text).items())
    formulas += [("", one.formula) for one in stated(text) if one.formula]
    for name, formula in formulas:
        try:
            value, ids = evaluate(formula, values)
        except FormulaError as error:
            raise FormulaError(f"{name or 'a number'}: {error}") from None
        if name:
            values[name] = value
        met.update((key, None) for key in ids if key in figures)
    return values, met
