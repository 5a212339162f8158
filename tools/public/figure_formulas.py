"""Formulas over the ids of public figures: numbers, ids, + - * /, brackets and a few functions.

Nothing is executed: a formula is read by a grammar of a dozen lines. Ids may hold hyphens
(`cw_mw_2025-09-30`), so at each place the longest id that fits is taken; write a space before a
minus that follows an id where it could be meant otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORD = re.compile(r"[A-Za-z0-9_]")


class FormulaError(ValueError):
    """A formula that cannot be read, or names what is not there."""


def _mean(*values: Decimal) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _between(first: Decimal, last: Decimal, share: Decimal) -> Decimal:
    """Level at `share` of the way from `first` to `last`, at constant growth."""
    return first * (last / first) ** share


FUNCTIONS: Mapping[str, Callable[..., Decimal]] = {
    "mean": _mean,
    "between": _between,
    "least": min,
    "most": max,
}


def _tokens(formula: str, names: Mapping[str, Decimal]) -> Iterator[str]:
    place = 0
    longest = sorted(names, key=len, reverse=True)
    while place < len(formula):
        if formula[place].isspace():
            place += 1
            continue
        token = _one(formula, place, longest)
        yield token
        place += len(token)


def _one(formula: str, place: int, longest: list[str]) -> str:
    for name in longest:
        if formula.startswith(name, place):
            after = formula[place + len(name) : place + len(name) + 1]
            if not _WORD.match(after):
                return name
    for pattern in (_NUMBER, _NAME):
        if found := pattern.match(formula, place):
            return found[0]
    if formula[place] in "+-*/(),":
        return formula[place]
    raise FormulaError(f"{formula!r}: {formula[place:]!r} is neither number, id nor sign")


class _Reader:
    """Reads tokens from left to right; holds which ids were met."""

    def __init__(self, formula: str, values: Mapping[str, Decimal]) -> None:
        self.formula, self.values = formula, values
        self.tokens = list(_tokens(formula, values))
        self.place = 0
        self.met: dict[str, None] = {}

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        token = self.peek()
        if not token or (wanted and token not in wanted):
            expected = " or ".join(wanted) or "a value"
            raise FormulaError(f"{self.formula!r}: {expected} expected, not {token or 'the end'}")
        self.place += 1
        return token

    def sum(self) -> Decimal:
        total = self.product()
        while self.peek() in {"+", "-"}:
            sign = self.take()
            part = self.product()
            total = total + part if sign == "+" else total - part
        return total

    def product(self) -> Decimal:
        total = self.value()
        while self.peek() in {"*", "/"}:
            sign = self.take()
            part = self.value()
            if sign == "/" and part == 0:
                raise FormulaError(f"{self.formula!r}: divides by zero")
            total = total * part if sign == "*" else total / part
        return total

    def value(self) -> Decimal:
        word = self.take()
        if word == "-":
            return -self.value()
        if word == "(":
            inner = self.sum()
            self.take(")")
            return inner
        if word in self.values:
            self.met[word] = None
            return self.values[word]
        if word in FUNCTIONS and self.peek() == "(":
            return self.call(FUNCTIONS[word])
        if _NUMBER.fullmatch(word):
            return Decimal(word)
        raise FormulaError(f"{self.formula!r}: {word} is no id of a figure")

    def call(self, function: Callable[..., Decimal]) -> Decimal:
        self.take("(")
        arguments = [self.sum()]
        while self.take(",", ")") == ",":
            arguments.append(self.sum())
        try:
            return function(*arguments)
        except TypeError:
            raise FormulaError(f"{self.formula!r}: another number of arguments") from None


def evaluate(formula: str, values: Mapping[str, Decimal]) -> tuple[Decimal, tuple[str, ...]]:
    """The value of a formula, and the ids that it uses, in the order in which it names them.

    Raises:
        FormulaError: It cannot be read, divides by zero, or names what is not among `values`.
    """
    reader = _Reader(formula, values)
    result = reader.sum()
    if reader.peek():
        raise FormulaError(f"{formula!r}: {reader.peek()} is left over")
    return result, tuple(reader.met)
