"""A YAML text as a tree of texts with their places, within limits.

PyYAML parses the text into events and does nothing more: no object is ever built from the file, and
a scalar stays text until the field that it belongs to reads it. So `no` is a name where a name is
expected and 0.26 becomes an exact decimal. Anchors may be used; what they expand to is limited, so
that a few lines cannot grow into gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from neocloud.spec.problems import Problem

MAX_BYTES = 1_000_000
"""Size of a cloud file. A thousand sites are some 300 kB."""
MAX_DEPTH = 20
"""Nesting of a cloud file; a correct one needs 6."""
MAX_NODES = 100_000
"""Nodes of a cloud file, aliases expanded."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text. `empty` is true where the file gives no value at all."""

    line: int
    column: int
    text: str
    empty: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    column: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file; each key once."""

    line: int
    column: int
    items: tuple[tuple[Scalar, Node], ...]

    def get(self, key: str) -> Node | None:
        """Value of `key`, or None."""
        return next((value for name, value in self.items if name.text == key), None)


Node = Scalar | Sequence | Mapping


class _TooLarge(Exception):  # noqa: N818  (a limit, not an error of the program)
    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line, self.column = line, column


_FAST = getattr(yaml, "CSafeLoader", None)
"""PyYAML's binding of libyaml, some ten times faster, where it was built with it."""


def parse_nodes(text: str, name: str) -> tuple[Node | None, list[Problem]]:
    """Tree of a YAML text and what is wrong with it.

    Args:
        text: the file's content.
        name: its name in problems.

    Returns:
        The tree, or None where there is none to go on with; and the problems found.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return None, [
            Problem(name, 0, 0, "E100", f"the file is over {MAX_BYTES:,} bytes", "Split the cloud.")
        ]
    if _FAST is not None:
        try:
            return _build(text, name, _FAST)
        except (yaml.YAMLError, UnicodeEncodeError):
            pass  # the parser in Python tells better what is wrong
    try:
        return _build(text, name, yaml.SafeLoader)
    except yaml.YAMLError as error:
        return None, [_syntax_problem(error, name, text)]


def _build(text: str, name: str, loader: type[Any]) -> tuple[Node | None, list[Problem]]:
    builder = _Builder(name)
    try:
        root = builder.root(yaml.parse(text, Loader=loader))
    except _TooLarge as limit:
        problem = _limit_problem(name, limit.line, limit.column, str(limit))
        return None, [*builder.problems, problem]
    if root is None:
        message = "the file is empty"
        return None, [Problem(name, 0, 0, "E106", message, "Run `neocloud init` for a start.")]
    return root, builder.problems


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A node that has an anchor, with how many values it holds and how deep it is."""

    node: Node
    values: int
    depth: int


class _Builder:
    """Makes nodes from the parser's events, counting and collecting duplicate keys.

    Events come one by one, so that a text which is too deep or too large is given up on where it
    becomes so. An alias is the very node of its anchor, and counts as many values as that.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self._count = 0
        self._anchors: dict[str, _Anchored | None] = {}
        """By name; None while the node is not complete."""

    def root(self, events: Iterator[Any]) -> Node | None:
        """The node of the only document, or None where there is none."""
        found: Node | None = None
        for event in events:
            mark: Any = event.start_mark
            if isinstance(event, yaml.DocumentStartEvent):
                if found is not None:
                    raise yaml.composer.ComposerError(
                        "expected a single document in the stream", None,
                        "but found another document", mark,
                    )  # fmt: skip
                found, _ = self._node(next(events), events, 1)
        return found

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> tuple[Node, int]:
        """The node that an event begins, and how deep it is."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        first, anchor = self._count, event.anchor
        self._add_values(1, depth, line, column)
        if anchor is not None:
            self._anchors[anchor] = None
        node: Node
        below = 1
        if isinstance(event, yaml.ScalarEvent):
            empty = not event.style and event.value in ("", "~", "null", "Null", "NULL")
            node = Scalar(line, column, event.value, empty)
        elif isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                item, deep = self._node(inner, events, depth + 1)
                items.append(item)
                below = max(below, deep + 1)
            node = Sequence(line, column, tuple(items))
        else:
            pairs, below = self._pairs(events, depth)
            node = Mapping(line, column, pairs)
        if anchor is not None:
            self._anchors[anchor] = _Anchored(node, self._count - first, below)
        return node, below

    def _pairs(
        self, events: Iterator[Any], depth: int
    ) -> tuple[tuple[tuple[Scalar, Node], ...], int]:
        """Keys and values up to the end of a mapping, and how deep it is."""
        items: dict[str, tuple[Scalar, Node]] = {}
        below = 1
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key, key_deep = self._node(event, events, depth + 1)
            value, value_deep = self._node(next(events), events, depth + 1)
            below = max(below, key_deep + 1, value_deep + 1)
            if not isinstance(key, Scalar):
                remedy = "Write the key as plain text."
                self._add(key, "E107", "a key is a list or a mapping", remedy)
            elif key.text in items:
                first = items[key.text][0].line
                message = f"{key.text[:100]} stands twice; first in line {first}"
                self._add(key, "E103", message, "Keep one of the two.")
            else:
                items[key.text] = (key, value)
        return tuple(items.values()), below

    def _alias(self, event: Any, depth: int) -> tuple[Node, int]:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if event.anchor not in self._anchors:
            what = f"found undefined alias {event.anchor!r}"
            raise yaml.composer.ComposerError(None, None, what, event.start_mark)
        known = self._anchors[event.anchor]
        if known is None:
            raise _TooLarge(line, column, f"{event.anchor} holds itself")
        self._add_values(known.values, depth + known.depth - 1, line, column)
        return known.node, known.depth

    def _add_values(self, count: int, depth: int, line: int, column: int) -> None:
        self._count += count
        if depth > MAX_DEPTH:
            raise _TooLarge(line, column, f"the file is nested over {MAX_DEPTH} deep")
        if self._count > MAX_NODES:
            message = f"the file has over {MAX_NODES:,} values, aliases expanded"
            raise _TooLarge(line, column, message)

    def _add(self, node: Node, code: str, message: str, remedy: str) -> None:
        self.problems.append(Problem(self.name, node.line, node.column, code, message, remedy))


def _limit_problem(name: str, line: int, column: int, message: str) -> Problem:
    return Problem(name, line, column, "E102", message, "Write the values out, without aliases.")


def _syntax_problem(error: yaml.YAMLError, name: str, text: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):  # a character that YAML does not allow
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"the character {text[error.position]!r} cannot stand in YAML"
        return Problem(name, line, column, "E101", message, "Remove it, or escape it in quotes.")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    remedy = "Check indentation, colons and quotes there."
    if "\\t" in what:
        what, remedy = "a tab where YAML wants spaces", "Indent with spaces."
    return Problem(name, line, column, "E101", " ".join(str(what).split()), remedy)
