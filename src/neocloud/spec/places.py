"""Where the parts of a record stand, for checks that look at several of them."""

from __future__ import annotations

from neocloud.spec.nodes import Mapping, Node, Sequence


def at(node: Node, name: str) -> Node:
    """Where a field stands, or its record where the file leaves it out."""
    return (node.get(name) if isinstance(node, Mapping) else None) or node


def given(node: Node, name: str) -> bool:
    """True if the file has the field, right or wrong."""
    return isinstance(node, Mapping) and node.get(name) is not None


def item(node: Node, number: int) -> Node:
    """Where an item of a list stands, or the list where it does not."""
    if isinstance(node, Sequence) and number < len(node.items):
        return node.items[number]
    return node
