"""Kinds of values that hold others: a record, records by name, a list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from neocloud.spec.kinds import BROKEN, Kind, Name, ScalarKind
from neocloud.spec.nodes import Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from neocloud.spec.reader import Reader


def reference(record: type[Any]) -> dict[str, Any]:
    """JSON schema that points to a record's definition."""
    return {"$ref": f"#/$defs/{record.__name__}"}


@dataclass(frozen=True, slots=True)
class Section(Kind):
    """One record."""

    record: type[Any]

    @property
    def label(self) -> str:
        """The record's name."""
        return f"mapping: {self.record.__name__}"

    def read(self, node: Node, name: str, path: str, reader: Reader) -> object:
        """The record."""
        return reader.record(self.record, node, name, path)

    def schema(self) -> dict[str, Any]:
        """A reference to the record."""
        return reference(self.record)

    def inner(self) -> tuple[tuple[str, type[Any]], ...]:
        """The record, at the same path."""
        return (("", self.record),)


@dataclass(frozen=True, slots=True)
class Table(Kind):
    """Records by name, in the order of the file."""

    record: type[Any]

    @property
    def label(self) -> str:
        """The record's name."""
        return f"mapping of name to {self.record.__name__}"

    def read(self, node: Node, name: str, path: str, reader: Reader) -> object:
        """Read-only mapping of name to record."""
        if not isinstance(node, Mapping) or not node.items:
            return reader.wrong(node, name, self.label)
        records: dict[str, object] = {}
        broken = False
        for key, value in node.items:
            named = Name().read_text(key, f"name in {name}", reader)
            place = f"{path}.{key.text}"
            found = reader.record(
                self.record, value, f"{name}.{key.text}", place, {"key": key.text}
            )
            reader.mark(place, key)
            broken = broken or named is BROKEN or found is BROKEN
            records[key.text] = found
        return BROKEN if broken else MappingProxyType(records)

    def schema(self) -> dict[str, Any]:
        """An object of records."""
        return {
            "type": "object",
            "minProperties": 1,
            "propertyNames": Name().schema(),
            "additionalProperties": reference(self.record),
        }

    def inner(self) -> tuple[tuple[str, type[Any]], ...]:
        """The record, under its name."""
        return ((".NAME", self.record),)


@dataclass(frozen=True, slots=True)
class Values(Kind):
    """Values by a scalar key, in the order of the file."""

    key: ScalarKind
    value: ScalarKind

    @property
    def label(self) -> str:
        """Kinds of key and value."""
        return f"mapping of {self.key.label} to {self.value.label}"

    def read(self, node: Node, name: str, path: str, reader: Reader) -> object:
        """Read-only mapping."""
        if not isinstance(node, Mapping):
            return reader.wrong(node, name, self.label)
        values: dict[object, object] = {}
        for key, value in node.items:
            place = f"{path}.{key.text}"
            reader.mark(place, key)
            values[self.key.read_text(key, f"key of {name}", reader)] = self.value.read(
                value, f"{name}.{key.text}", place, reader
            )
        broken = BROKEN in values or BROKEN in values.values()
        return BROKEN if broken else MappingProxyType(values)

    def schema(self) -> dict[str, Any]:
        """An object."""
        return {
            "type": "object",
            "propertyNames": self.key.schema(),
            "additionalProperties": self.value.schema(),
        }

    def show(self, value: object) -> str:
        """`none` where empty."""
        return str(value) if value else "none"


@dataclass(frozen=True, slots=True)
class ListOf(Kind):
    """A list of values of one kind; a single value may stand without its brackets."""

    item: Kind
    unique: bool = True

    @property
    def label(self) -> str:
        """The kind of its items."""
        return f"list of {self.item.label}"

    def read(self, node: Node, name: str, path: str, reader: Reader) -> object:
        """The items as a tuple."""
        if isinstance(node, Scalar) and not node.empty and isinstance(self.item, ScalarKind):
            node = Sequence(node.line, node.column, (node,))
        if not isinstance(node, Sequence) or not node.items:
            return reader.wrong(node, name, self.label)
        found = []
        for number, item in enumerate(node.items):
            place = f"{path}.{number}"
            reader.mark(place, item)
            value = self.item.read(item, name, place, reader)
            if self.unique and value is not BROKEN and value in found:
                value = reader.problem(
                    item, "E103", f"{name} holds {value} twice", "Keep one of the two."
                )
            found.append(value)
        return BROKEN if BROKEN in found else tuple(found)

    def schema(self) -> dict[str, Any]:
        """An array, or one item where items are scalars."""
        item = self.item.schema()
        found: dict[str, Any] = {"type": "array", "items": item, "minItems": 1}
        if self.unique:
            found["uniqueItems"] = True
        return {"anyOf": [found, item]} if isinstance(self.item, ScalarKind) else found

    def inner(self) -> tuple[tuple[str, type[Any]], ...]:
        """Records of its items."""
        return tuple((f"[]{path}", record) for path, record in self.item.inner())

    def show(self, value: object) -> str:
        """Items as in a flow list."""
        if value is None:
            return "none"
        assert isinstance(value, tuple)
        return "[" + ", ".join(self.item.show(item) for item in value) + "]"


@dataclass(frozen=True, slots=True)
class Either(Kind):
    """A scalar, or a mapping in its place."""

    scalar: ScalarKind
    section: Section

    @property
    def label(self) -> str:
        """Both kinds."""
        return f"{self.scalar.label}, or {self.section.label}"

    def read(self, node: Node, name: str, path: str, reader: Reader) -> object:
        """Value of whichever it is."""
        kind: Kind = self.section if isinstance(node, Mapping) else self.scalar
        return kind.read(node, name, path, reader)

    def schema(self) -> dict[str, Any]:
        """Any of the two."""
        return {"anyOf": [self.scalar.schema(), self.section.schema()]}

    def inner(self) -> tuple[tuple[str, type[Any]], ...]:
        """The record of the mapping."""
        return self.section.inner()


Check = Callable[["dict[str, object]", Node, str, "Reader"], None]
"""Looks at the values of one record together; may fill in what the file left out.

Takes the values by attribute (broken ones are missing), the record's node, its path and the reader.
"""
