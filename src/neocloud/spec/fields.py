"""A field of the cloud file is described once, in its record: type, unit, default, meaning, bounds.

The loader, its messages, the JSON schema and the reference page all read this description.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass
from typing import Any

from neocloud.spec.kinds import Kind

_KEY = "neocloud"


@dataclass(frozen=True, slots=True)
class Described:
    """A field as a user sees it.

    Attributes:
        name: its key in the file.
        attribute: its name in the record.
        kind: how its text is read, and its bounds.
        meaning: what it says, as a sentence.
        unit: of its value; empty for none.
        required: true where the file must give it.
        default: what stands where the file is silent, as text; empty where required.
        origin: where the default comes from: a source, or `assumption` and why.
        later: the verb that will use it, where the field is read and checked but nothing uses it
            yet; empty where something does.
    """

    name: str
    attribute: str
    kind: Kind
    meaning: str
    unit: str
    required: bool
    default: str
    origin: str
    later: str = ""

    @property
    def full_meaning(self) -> str:
        """The meaning, and that nothing uses the field yet where that is so."""
        return f"{self.meaning} {not_used(self.later)}" if self.later else self.meaning


def not_used(verb: str) -> str:
    """The sentence about a field that waits for a verb."""
    return f"Checked, but not used yet: it is for `{verb}`."


def required(kind: Kind, meaning: str, unit: str = "", name: str = "") -> Any:
    """A field that the file must give."""
    return dataclasses.field(metadata={_KEY: (kind, meaning, unit, name, "", "", "")})


def optional(
    kind: Kind,
    meaning: str,
    unit: str = "",
    name: str = "",
    *,
    default: object = MISSING,
    make: Callable[[], object] | None = None,
    shown: str = "",
    origin: str = "",
    later: str = "",
) -> Any:
    """A field that the file may leave out.

    Args:
        kind: how its text is read.
        meaning: what it says, as a sentence.
        unit: of its value.
        name: its key in the file, where it is not the attribute's name.
        default: the value where the file is silent.
        make: makes that value, where it must be made.
        shown: how the default reads, where the value itself would not tell.
        origin: where the default comes from.
        later: the verb that will use it, if none does yet.
    """
    metadata = {_KEY: (kind, meaning, unit, name, shown, origin, later)}
    if make is not None:
        return dataclasses.field(default_factory=make, metadata=metadata)
    assert default is not MISSING, meaning
    return dataclasses.field(default=default, metadata=metadata)


def described(record: type[Any]) -> tuple[Described, ...]:
    """The fields of a record that the file may give, in order."""
    if record not in _DESCRIBED:
        _DESCRIBED[record] = tuple(_describe(record))
    return _DESCRIBED[record]


_DESCRIBED: dict[type[Any], tuple[Described, ...]] = {}
"""Descriptions made so far: a file may hold thousands of records of a type."""


def _describe(record: type[Any]) -> Iterator[Described]:
    for field in dataclasses.fields(record):
        if _KEY not in field.metadata:
            continue
        kind, meaning, unit, name, shown, origin, later = field.metadata[_KEY]
        needed = field.default is MISSING and field.default_factory is MISSING
        if not shown and field.default is not MISSING:
            shown = kind.show(field.default)
        yield Described(
            name or field.name, field.name, kind, meaning, unit, needed, shown, origin, later
        )
