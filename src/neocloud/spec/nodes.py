"""A YAML text as a tree of texts with their places, within limits.

PyYAML composes the nodes and nothing more: no object is ever built from the file, and a scalar
stays text until the field that it belongs to reads it. So `no` is a name where a name is expected
and 0.26 becomes an exact decimal. Anchors may be used; what they expand to is limited, so that a
few lines cannot grow into gigabytes.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    def __init__(self, node: yaml.Node, message: str) -> None:
        super().__init__(message)
        self.line, self.column = node.start_mark.line + 1, node.start_mark.column + 1


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
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        return None, [_syntax_problem(error, name, text)]
    except RecursionError:
        return None, [_limit_problem(name, 1, 1, f"the file is nested over {MAX_DEPTH} deep")]
    if root is None:
        message = "the file is empty"
        return None, [Problem(name, 0, 0, "E106", message, "Run `neocloud init` for a start.")]
    converter = _Converter(name)
    try:
        return converter.convert(root, 1), converter.problems
    except _TooLarge as limit:
        problem = _limit_problem(name, limit.line, limit.column, str(limit))
        return None, [*converter.problems, problem]


class _Converter:
    """Copies PyYAML's nodes into ours, counting and collecting duplicate keys."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self._count = 0

    def convert(self, node: yaml.Node, depth: int) -> Node:
        self._count += 1
        if depth > MAX_DEPTH:
            raise _TooLarge(node, f"the file is nested over {MAX_DEPTH} deep")
        if self._count > MAX_NODES:
            raise _TooLarge(node, f"the file has over {MAX_NODES:,} values, aliases expanded")
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if isinstance(node, yaml.ScalarNode):
            empty = node.style is None and node.value in ("", "~", "null", "Null", "NULL")
            return Scalar(line, column, node.value, empty)
        if isinstance(node, yaml.SequenceNode):
            return Sequence(line, column, tuple(self.convert(n, depth + 1) for n in node.value))
        assert isinstance(node, yaml.MappingNode), node
        return Mapping(line, column, self._items(node, depth))

    def _items(self, node: yaml.MappingNode, depth: int) -> tuple[tuple[Scalar, Node], ...]:
        items: dict[str, tuple[Scalar, Node]] = {}
        for key_node, value_node in node.value:
            key = self.convert(key_node, depth + 1)
            value = self.convert(value_node, depth + 1)
            if not isinstance(key, Scalar):
                remedy = "Write the key as plain text."
                self._add(key, "E107", "a key is a list or a mapping", remedy)
            elif key.text in items:
                first = items[key.text][0].line
                message = f"{key.text} stands twice; first in line {first}"
                self._add(key, "E103", message, "Keep one of the two.")
            else:
                items[key.text] = (key, value)
        return tuple(items.values())

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
