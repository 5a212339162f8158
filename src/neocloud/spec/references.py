"""Kinds of values that name something: in the catalog, or elsewhere in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from neocloud.catalog import PRECISIONS, Catalog
from neocloud.spec.kinds import BROKEN, Kind, Name, Number, ScalarKind
from neocloud.spec.nodes import Mapping, Node, Scalar, Sequence
from neocloud.spec.traces import is_trace_path

if TYPE_CHECKING:
    from neocloud.spec.reader import Reader

INTERNET_USERS = "internet-users"
"""Word for demand that follows people online."""
HEAVIEST_METROS = 40
"""Metros that `internet-users` keeps: they hold about half of all people online."""
SHARE_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class CatalogKey(ScalarKind):
    """A key of the catalog."""

    noun: str
    code: str
    names: Callable[[Catalog], Iterable[str]]

    @property
    def label(self) -> str:
        """What it names."""
        return f"{self.noun} of the catalog"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The key, if the catalog has it."""
        known = tuple(self.names(reader.catalog))
        if node.text not in known:
            message = f"{name} {node.text!r} is no {self.noun} of the catalog"
            return reader.unknown(node, self.code, message, node.text, known)
        return node.text

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Declared(ScalarKind):
    """A key that another section of the file declares."""

    noun: str
    section: str
    code: str

    @property
    def label(self) -> str:
        """What it names."""
        return f"{self.noun} of this file"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The key, if the section has it."""
        known = reader.declared(self.section)
        if node.text not in known:
            message = f"{name} {node.text!r} is no {self.noun} of this file"
            return reader.unknown(node, self.code, message, node.text, known)
        return node.text

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string"}


METRO = CatalogKey("metro", "E204", lambda catalog: catalog.metros)


@dataclass(frozen=True, slots=True)
class MarketMetro(ScalarKind):
    """A metro where data-center space is bought."""

    @property
    def label(self) -> str:
        """What it names."""
        return "metro of the catalog where data centers stand"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The metro's key."""
        if METRO.read_text(node, name, reader) is BROKEN:
            return BROKEN
        if not reader.catalog.metro(node.text).dc_market:
            near = ", ".join(reader.catalog.nearest_markets(node.text))
            message = f"{name} {node.text!r} is no place where data-center space is bought"
            return reader.problem(node, "E205", message, f"The nearest such metros are {near}.")
        return node.text

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string"}


ACCELERATOR = CatalogKey("accelerator", "E206", lambda catalog: catalog.accelerators)
SHAPE = CatalogKey("daily shape", "E207", lambda catalog: catalog.shapes)
PROVIDER = CatalogKey(
    "provider", "E219", lambda catalog: sorted({p.provider for p in catalog.rental_prices})
)
_TRACE = CatalogKey("trace", "E207", lambda catalog: catalog.trace_names())


@dataclass(frozen=True, slots=True)
class TracePath(ScalarKind):
    """The path of a trace."""

    @property
    def label(self) -> str:
        """What it names."""
        return "path of a trace: .csv or .jsonl, or either with .gz"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The path, once the file is read."""
        if not is_trace_path(node.text):
            return reader.wrong(node, name, self.label)
        found = reader.trace(node)
        if found is None:
            return BROKEN
        if not found.timed:
            message = f"{node.text} does not say when requests arrived"
            return reader.problem(node, "E218", message, "Add arrival_s, seconds from the first.")
        return node.text

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class TraceName(ScalarKind):
    """A trace of the catalog, or the path of one."""

    @property
    def label(self) -> str:
        """Both."""
        return "trace of the catalog, or path of one"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The name or path."""
        if not is_trace_path(node.text):
            return _TRACE.read_text(node, name, reader)
        return BROKEN if reader.trace(node) is None else node.text

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class RateOrCurve(ScalarKind):
    """A rate, or the name of a curve of `finance.base_rates`."""

    @property
    def label(self) -> str:
        """Both."""
        return "rate from 0 to 1, or name of a curve of `finance.base_rates`"

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The rate as float, or the curve's name as text."""
        if re.fullmatch(r"[-+.0-9].*", node.text):
            remedy = "A rate is a part of 1 a year: write 0.06 for 6 %."
            return Number(0, 1, remedy=remedy).read_text(node, name, reader)
        return Declared("base rate", "finance.base_rates", "E220").read_text(node, name, reader)

    def schema(self) -> dict[str, Any]:
        """A number, or a string."""
        rate = {"type": "number", "minimum": 0, "maximum": 1}
        return {"anyOf": [rate, {"type": "string"}]}


@dataclass(frozen=True, slots=True)
class Precision(ScalarKind):
    """A number format of weights that can be planned with."""

    @property
    def label(self) -> str:
        """The formats."""
        return "one of " + ", ".join(f"`{p}`" for p in PRECISIONS)

    def read_text(self, node: Scalar, name: str, reader: Reader) -> object:
        """The format."""
        if node.text not in PRECISIONS:
            message = f"{name} {node.text!r} cannot be served"
            return reader.unknown(node, "E209", message, node.text, PRECISIONS)
        return node.text

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"enum": list(PRECISIONS)}


@dataclass(frozen=True, slots=True)
class Shares(Kind):
    """Where users are: shares by metro that sum to 1, metros in equal shares, or a word."""

    @property
    def label(self) -> str:
        """The three forms."""
        return f"`{INTERNET_USERS}`, a list of metros, or shares by metro"

    def read(self, node: Node, name: str, path: str, reader: Reader) -> object:
        """Read-only mapping of metro to share."""
        if isinstance(node, Scalar) and node.text == INTERNET_USERS:
            return internet_users(reader.catalog)
        if isinstance(node, Scalar) and not node.empty:
            found = METRO.read_text(node, name, reader)
            return BROKEN if found is BROKEN else MappingProxyType({node.text: 1.0})
        if isinstance(node, Sequence) and node.items:
            return self._equal(node, name, path, reader)
        if isinstance(node, Mapping) and node.items:
            return self._given(node, name, path, reader)
        return reader.wrong(node, name, self.label)

    def _equal(self, node: Sequence, name: str, path: str, reader: Reader) -> object:
        keys = [
            METRO.read(item, name, f"{path}.{number}", reader)
            for number, item in enumerate(node.items)
        ]
        if BROKEN in keys:
            return BROKEN
        names = [str(key) for key in keys]
        for item, key in zip(node.items, names, strict=True):
            if names.count(key) > 1:
                message = f"{name} names {key} twice"
                return reader.problem(item, "E103", message, "Name each metro once.")
        return MappingProxyType(dict.fromkeys(names, 1 / len(names)))

    def _given(self, node: Mapping, name: str, path: str, reader: Reader) -> object:
        share = Number(above=0, maximum=1, remedy="A share is a part of 1: write 0.8 for 80 %.")
        shares: dict[str, float] = {}
        broken = False
        for key, value in node.items:
            metro = METRO.read_text(key, name, reader)
            found = share.read(value, f"share of {key.text}", f"{path}.{key.text}", reader)
            broken = broken or metro is BROKEN or not isinstance(found, float)
            if isinstance(found, float):
                shares[key.text] = found
        if broken:
            return BROKEN
        total = sum(shares.values())
        if abs(total - 1) > SHARE_TOLERANCE:
            message = f"{name}: the shares sum to {total:.6g}"
            return reader.problem(node, "E211", message, "They must sum to 1.")
        return MappingProxyType({metro: part / total for metro, part in shares.items()})

    def schema(self) -> dict[str, Any]:
        """Any of the forms."""
        part = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
        return {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
                {"type": "object", "additionalProperties": part, "minProperties": 1},
            ]
        }


def internet_users(catalog: Catalog) -> MappingProxyType[str, float]:
    """Shares of the heaviest metros by people online."""
    heaviest = sorted(catalog.metros.values(), key=lambda m: (-m.internet_users, m.key))
    kept = heaviest[:HEAVIEST_METROS]
    total = sum(m.internet_users for m in kept)
    return MappingProxyType({m.key: m.internet_users / total for m in kept})


__all__ = [
    "ACCELERATOR",
    "METRO",
    "PROVIDER",
    "SHAPE",
    "CatalogKey",
    "Declared",
    "MarketMetro",
    "Name",
    "Precision",
    "RateOrCurve",
    "Shares",
    "TraceName",
    "TracePath",
    "internet_users",
]
