"""Names that must stand once in a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from neocloud.spec.nodes import Node
from neocloud.spec.places import item
from neocloud.spec.reader import Reader


class Named(Protocol):
    """A record with a name of the file's own."""

    @property
    def key(self) -> str:
        """The name."""


def named_once(records: Sequence[Named], node: Node, what: str, reader: Reader) -> None:
    """Tell of every name that stands twice in a list."""
    keys = [record.key for record in records]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            message = f"there are two {what} {key!r}"
            reader.problem(item(node, number), "E214", message, "Give each its own name.")


__all__ = ["Named", "named_once"]
