"""Kinds of scalar values in a cloud file: how each is read from text, described and bounded."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from neocloud.spec.nodes import Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from neocloud.spec.reader import Reader


class Broken:
    """Stands for a value that could not be read; the problem is on record."""


BROKEN: Final = Broken()

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_BYTES = re.compile(r"([0-9]{1,15}) *([kKMG]i?B)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = (1990, 2100)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_UNITS = {None: 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9,
          "KiB": 2**10, "kiB": 2**10, "MiB": 2**20, "GiB": 2**30}  # fmt: skip


def sort_of(node: Node) -> str:
    """What a node is, in words."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    return "empty" if node.empty else f"{node.text!r}"


class Kind(ABC):
    """How the value of a field is read from its node."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What is expected, in words: `number from 1 to 3`."""

    @abstractmethod
    def read(self, node: Node, name: str, path: str, reader: Reader) -> object:
        """Value of a node, or `BROKEN` with a problem added.

        Args:
            node: what stands in the file.
            name: of the field, for messages.
            path: of the field from the top of the file, such as `sites.ashburn.pue`.
            reader: collects problems and knows the catalog and the names in the file.
        """

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """JSON schema of the value."""

    def inner(self) -> tuple[tuple[str, type[Any]], ...]:
        """Types of the records inside, each with what it adds to a path: `.NAME`, `[]`."""
        return ()

    def show(self, value: object) -> str:
        """A default value as a user would write it."""
        return "none" if value is None else str(value)


class ScalarKind(Kind):
    """A kind whose node must be a text."""

    def read(self, node: Node, name: str, path: str, reader: Reader) -> object:  # noqa: ARG002
        """Read the text, or add E107 where there is none."""
        if not isinstance(node, Scalar) or node.empty:
            return reader.wrong(node, name, self.label)
        return self.read_text(node, name, reader)

    @abstractmethod
    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """Value of a text, or `BROKEN` with a problem added."""


@dataclass(frozen=True, slots=True)
class Text(ScalarKind):
    """Any text, up to a length."""

    maximum: int = 500
    blank: bool = False
    """True where an empty text in quotes is fine."""

    @property
    def label(self) -> str:
        """`text`."""
        return "text"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The text itself."""
        if len(node.text) > self.maximum:
            message = f"{name} has {len(node.text):,} characters, over {self.maximum}"
            return reader.problem(node, "E104", message, "Shorten it.")
        if _UNPRINTABLE.search(node.text):
            message = f"{name} {node.text!r} has control characters or halves of characters"
            return reader.problem(node, "E109", message, "Write plain text.")
        if not node.text.strip() and not self.blank:
            return reader.wrong(node, name, self.label)
        return node.text

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string", "maxLength": self.maximum}

    def show(self, value: object) -> str:
        """The text, or `empty`."""
        return str(value) if value else ("none" if value is None else "empty")


@dataclass(frozen=True, slots=True)
class Name(ScalarKind):
    """A name that can stand in ids, paths and URLs."""

    @property
    def label(self) -> str:
        """`name`."""
        return "name"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The name itself."""
        if not _NAME.fullmatch(node.text):
            message = f"{name} {node.text!r} is not a name"
            remedy = "Use up to 63 letters, digits, dots, dashes, underscores, no mark first."
            return reader.problem(node, "E109", message, remedy)
        return node.text

    def schema(self) -> dict[str, Any]:
        """A string of a pattern."""
        return {"type": "string", "pattern": f"^{_NAME.pattern}$"}


@dataclass(frozen=True, slots=True)
class _Bounded(ScalarKind):
    """A number with bounds; `remedy` is the sentence shown when it is outside."""

    minimum: float | None = 0
    maximum: float | None = None
    above: float | None = None
    """Exclusive lower bound, instead of `minimum`."""
    remedy: str = ""

    noun = "number"

    @property
    def label(self) -> str:
        """`number from 1 to 3`."""
        low = f"above {_plain(self.above)}" if self.above is not None else ""
        if self.above is None and self.minimum is not None:
            low = f"from {_plain(self.minimum)}" if self.maximum is not None else (
                f"of at least {_plain(self.minimum)}"
            )  # fmt: skip
        high = f"to {_plain(self.maximum)}" if self.maximum is not None else ""
        return " ".join(filter(None, (self.noun, low, high)))

    def bounded(self, value: Decimal, node: Scalar, name: str, reader: Reader) -> bool:
        """True if the value lies inside; otherwise a problem is added."""
        message = ""
        if self.above is not None and value <= Decimal(str(self.above)):
            message = f"{name} {node.text} is not above {_plain(self.above)}"
        elif self.above is None and self.minimum is not None and value < Decimal(str(self.minimum)):
            message = f"{name} {node.text} is below {_plain(self.minimum)}"
        elif self.maximum is not None and value > Decimal(str(self.maximum)):
            message = f"{name} {node.text} is above {_plain(self.maximum)}"
        if message:
            reader.problem(node, "E104", message, self.remedy or f"Expected: {self.label}.")
        return not message

    def schema(self) -> dict[str, Any]:
        """A number with its bounds."""
        found: dict[str, Any] = {"type": "number"}
        if self.above is not None:
            found["exclusiveMinimum"] = self.above
        elif self.minimum is not None:
            found["minimum"] = self.minimum
        if self.maximum is not None:
            found["maximum"] = self.maximum
        return found


@dataclass(frozen=True, slots=True)
class Number(_Bounded):
    """A number, as float."""

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The number; NaN and infinities are no numbers."""
        value = _decimal(node.text)
        if value is None:
            return reader.wrong(node, name, self.label)
        if not self.bounded(value, node, name, reader):
            return BROKEN
        number = float(value)  # a text such as 1e-999 is above 0, its float is not
        return number if self.bounded(Decimal(number), node, name, reader) else BROKEN


@dataclass(frozen=True, slots=True)
class Money(_Bounded):
    """A price or amount, exact."""

    decimals: int | None = None
    """Most decimals that it may have; None for any number."""

    noun = "price"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The amount as `Decimal`."""
        value = _decimal(node.text)
        if value is None:
            return reader.wrong(node, name, self.label)
        if not self.bounded(value, node, name, reader):
            return BROKEN
        if self.decimals is not None and value != round(value, self.decimals):
            message = f"{name} {node.text} has more than {self.decimals} decimals"
            remedy = "A token must cost a whole number of 1e-12 of the currency."
            return reader.problem(node, "E104", message, remedy)
        return value


@dataclass(frozen=True, slots=True)
class Whole(_Bounded):
    """A whole number."""

    noun = "whole number"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The number as int."""
        if not _WHOLE.fullmatch(node.text):
            return reader.wrong(node, name, self.label)
        value = int(node.text)
        return value if self.bounded(Decimal(value), node, name, reader) else BROKEN

    def schema(self) -> dict[str, Any]:
        """An integer with its bounds."""
        return {**super(Whole, self).schema(), "type": "integer"}


@dataclass(frozen=True, slots=True)
class Bytes(_Bounded):
    """A size: a whole number of bytes, or one with a unit (`4 MiB`)."""

    noun = "size in bytes"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The size as int."""
        found = _BYTES.fullmatch(node.text)
        if not found:
            return reader.wrong(node, name, "a size such as 4 MiB or 4194304")
        value = int(found[1]) * _UNITS[found[2]]
        return value if self.bounded(Decimal(value), node, name, reader) else BROKEN

    def schema(self) -> dict[str, Any]:
        """An integer or a text with a unit."""
        return {"type": ["integer", "string"], "pattern": f"^{_BYTES.pattern}$"}


@dataclass(frozen=True, slots=True)
class Day(ScalarKind):
    """A date."""

    @property
    def label(self) -> str:
        """`date as 2026-01-31`."""
        return "date as 2026-01-31"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The date."""
        if not _DAY.fullmatch(node.text):  # ISO 8601 has more forms, too easily something else
            return reader.wrong(node, name, f"{self.label}: year, month, day")
        try:
            found = date.fromisoformat(node.text)
        except ValueError:
            message = f"{name} {node.text} is no day of the calendar"
            return reader.problem(node, "E104", message, "Write year, month, day: 2026-01-31.")
        if not _YEARS[0] <= found.year <= _YEARS[1]:
            message = f"{name} {node.text} lies outside the years {_YEARS[0]} to {_YEARS[1]}"
            return reader.problem(node, "E104", message, "Write year, month, day: 2026-01-31.")
        return found

    def schema(self) -> dict[str, Any]:
        """A string that is a date."""
        return {"type": "string", "format": "date"}


@dataclass(frozen=True, slots=True)
class Choice(ScalarKind):
    """One of a few words."""

    options: tuple[str, ...]

    @property
    def label(self) -> str:
        """`one of grid, solar`."""
        if len(self.options) == 1:
            return f"`{self.options[0]}`"
        return "one of " + ", ".join(f"`{option}`" for option in self.options)

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The word."""
        if node.text not in self.options:
            message = f"{name} {node.text!r} is none of {', '.join(self.options)}"
            return reader.unknown(node, "E108", message, node.text, self.options)
        return node.text

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"enum": list(self.options)}


@dataclass(frozen=True, slots=True)
class Currency(ScalarKind):
    """A currency code (ISO 4217)."""

    @property
    def label(self) -> str:
        """`currency code`."""
        return "currency code of three capital letters"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The code."""
        if not re.fullmatch(r"[A-Z]{3}", node.text):
            return reader.wrong(node, name, f"{self.label} (ISO 4217)")
        return node.text

    def schema(self) -> dict[str, Any]:
        """A string of three capital letters."""
        return {"type": "string", "pattern": "^[A-Z]{3}$"}


@dataclass(frozen=True, slots=True)
class Pattern(ScalarKind):
    """A text of a fixed form."""

    pattern: str
    form: str
    """The form in words, with an example."""

    @property
    def label(self) -> str:
        """The form."""
        return self.form

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The text."""
        if not re.fullmatch(self.pattern, node.text):
            return reader.wrong(node, name, self.form)
        return node.text

    def schema(self) -> dict[str, Any]:
        """A string of that form."""
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


def _decimal(text: str) -> Decimal | None:
    if not _NUMBER.fullmatch(text) or len(text) > 60:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _plain(value: float | None) -> str:
    return f"{value:,.10g}"
