"""Reads records out of nodes: every field by its description, every mistake on record."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from neocloud.catalog import Catalog, nearest
from neocloud.spec.fields import Described, described, not_used
from neocloud.spec.kinds import BROKEN, Broken, sort_of
from neocloud.spec.nodes import Mapping, Node, Scalar, Sequence
from neocloud.spec.problems import Note, Problem
from neocloud.spec.structures import Check
from neocloud.spec.traces import TraceFile, TraceFileError, read_trace_file

_LONGEST_MESSAGE = 300
_MOST_SEARCHED = 100
"""Mistakes up to which the nearest right name is searched for: with thousands it takes minutes."""


class Reader:
    """Reads one file. Collects problems instead of stopping at the first.

    Attributes:
        catalog: where names are looked up.
        base: folder that paths in the file start from.
        problems: what was found so far.
        lines: line of each path in the file, such as `sites.ashburn.pue`.
        notes: what is no mistake but should be known.
        traces: those that were read, by their path.
    """

    def __init__(
        self,
        file: str,
        root: Node,
        catalog: Catalog,
        base: Path | None,
        checks: dict[type[Any], Check],
    ) -> None:
        self.catalog = catalog
        self.base = base
        self.problems: list[Problem] = []
        self.lines: dict[str, int] = {}
        self.notes: list[Note] = []
        self.traces: dict[str, TraceFile] = {}
        self._unused: dict[tuple[type[Any], str], list[tuple[Node, str]]] = {}
        self._declared: dict[str, tuple[str, ...]] = {}
        self._file = file
        self._root = root
        self._checks = checks

    def problem(self, node: Node, code: str, message: str, remedy: str) -> Broken:
        """Put a problem on record; returns `BROKEN`, so that a kind can return it in turn."""
        if len(message) > _LONGEST_MESSAGE:  # a text of the file may be as long as the file
            message = f"{message[:_LONGEST_MESSAGE]} [...]"
        self.problems.append(Problem(self._file, node.line, node.column, code, message, remedy))
        return BROKEN

    def wrong(self, node: Node, name: str, expected: str) -> Broken:
        """A value of the wrong type (E107)."""
        return self.problem(node, "E107", f"{name} is {sort_of(node)}", f"Expected: {expected}.")

    def unknown(
        self, node: Node, code: str, message: str, given: str, known: Iterable[str]
    ) -> Broken:
        """A name that is not among the known ones; the remedy gives the nearest."""
        names = tuple(known)
        near = nearest(given, names) if len(self.problems) < _MOST_SEARCHED else ()
        if near:
            remedy = f"Did you mean {' or '.join(near)}?"
        elif names:
            more = ", ..." if len(names) > 12 else ""
            remedy = f"Known are {', '.join(names[:12])}{more}."
        else:
            remedy = "The file declares none."
        return self.problem(node, code, message, remedy)

    def mark(self, path: str, node: Node) -> None:
        """Remember where a path stands."""
        self.lines[path] = node.line

    def note(self, node: Node, message: str) -> None:
        """Put on record what is no mistake but should be known."""
        self.notes.append(Note(self._file, node.line, message))

    def all_notes(self) -> tuple[Note, ...]:
        """Notes in the order of the file; of fields that wait for their verb one a kind."""
        found = list(self.notes)
        for (record, name), places in self._unused.items():
            field = next(field for field in described(record) if field.name == name)
            node, place = places[0]
            more = f" and {len(places) - 1:,} like it" if len(places) > 1 else ""
            message = f"{place}{more}: {not_used(field.later)}"
            found.append(Note(self._file, node.line, message))
        return tuple(sorted(found, key=lambda note: note.line))

    @cached_property
    def currency(self) -> str:
        """Currency of the cloud, for amounts that do not say theirs."""
        found = self._root.get("currency") if isinstance(self._root, Mapping) else None
        return found.text if isinstance(found, Scalar) and not found.empty else "USD"

    def trace(self, node: Scalar) -> TraceFile | None:
        """The trace whose path stands there; None, with a problem added, if it cannot be read."""
        path = node.text
        if path not in self.traces:
            try:
                self.traces[path] = read_trace_file(path, self.base)
            except TraceFileError as error:
                remedy = (
                    "Give a CSV or JSON lines file with arrival_s, input_tokens, output_tokens."
                )
                self.problem(node, "E218", str(error), remedy)
                return None
        return self.traces[path]

    def declared(self, section: str) -> tuple[str, ...]:
        """Names that a section of the file declares, such as `sites` or `finance.assets`.

        A mapping declares its keys, a list the `name` of each item; tenants default to one.
        """
        if section not in self._declared:
            self._declared[section] = self._names(section)
        return self._declared[section]

    def _names(self, section: str) -> tuple[str, ...]:
        found: Node | None = self._root
        for part in section.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping):
            return tuple(key.text for key, _ in found.items)
        if isinstance(found, Sequence):
            named = [item.get("name") for item in found.items if isinstance(item, Mapping)]
            return tuple(name.text for name in named if isinstance(name, Scalar))
        return ("default",) if section == "tenants" and found is None else ()

    def record(
        self,
        record: type[Any],
        node: Node,
        name: str,
        path: str,
        values: dict[str, object] | None = None,
    ) -> object:
        """Read a record of a type, or return `BROKEN`.

        Args:
            record: a dataclass whose fields are described.
            node: what stands in the file.
            name: how messages call it.
            path: of the record from the top of the file; empty for the whole file.
            values: of fields that do not stand in the record itself, such as its key.
        """
        self.mark(path, node)
        fields = {field.name: field for field in described(record)}
        nothing = isinstance(node, Scalar) and node.empty
        if nothing:  # `acme:` alone is a record with all its defaults
            node = Mapping(node.line, node.column, ())
        if not isinstance(node, Mapping):
            return self.wrong(node, name, f"a mapping with {', '.join(fields)}")
        before = len(self.problems)
        found = dict(values or {})
        for key, value in node.items:
            place = f"{path}.{key.text}" if path else key.text
            self.mark(place, key)
            if key.text not in fields:
                self._unknown_key(key, name, fields)
                continue
            field = fields[key.text]
            if field.later:
                self._unused.setdefault((record, field.name), []).append((key, place))
            read = field.kind.read(value, field.name, place, self)
            if read is not BROKEN:
                found[field.attribute] = read
        self._missing(node, name, fields)
        if record in self._checks:
            self._checks[record](found, node, path, self)
        if len(self.problems) > before:
            return BROKEN
        return record(**found)

    def _missing(self, node: Mapping, name: str, fields: dict[str, Described]) -> None:
        for field in fields.values():
            if field.required and node.get(field.name) is None:
                self.lacks(node, name, field)

    def lacks(self, node: Node, name: str, field: Described) -> None:
        """A record without a field that it needs (E106)."""
        message = f"{name} has no {field.name}"
        remedy = f"Add {field.name}: {field.kind.label}. {field.meaning}"
        self.problem(node, "E106", message, remedy)

    @cached_property
    def figures_alone(self) -> bool:
        """True of a file with `finance` and `contracts`: it may do without models and pools."""
        return isinstance(self._root, Mapping) and all(
            self._root.get(name) is not None for name in ("finance", "contracts")
        )

    def _unknown_key(self, key: Scalar, name: str, fields: dict[str, Described]) -> None:
        message = f"{name} has no field {key.text!r}"
        self.unknown(key, "E105", message, key.text, fields)


def default_of(record: type[Any], attribute: str) -> object:
    """Default value of an attribute of a record."""
    for field in dataclasses.fields(record):
        if field.name == attribute:
            if field.default is not dataclasses.MISSING:
                return field.default
            assert field.default_factory is not dataclasses.MISSING, attribute
            return field.default_factory()
    raise AssertionError(attribute)
