"""How much the tables of a gateway hold, found by following its objects."""

from __future__ import annotations

import gc
from collections import Counter, deque
from typing import Any

_TABLES = (dict, list, set, deque)


def census(*roots: object) -> Counter[str]:
    """Entries of all tables that are reached from these, by owner and attribute.

    What is followed are objects of neocloud and the tables in them; what those only point to, such
    as the event loop, is not.
    """
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [(type(root).__name__, root) for root in roots]
    while waiting:
        name, thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, _TABLES):
            found[name] += len(thing)
            inner = list(thing.values()) if isinstance(thing, dict) else list(thing)
            waiting += [(name, each) for each in inner if _followed(each)]
        else:
            waiting += [
                (f"{type(thing).__name__}.{field}", value)
                for field, value in _fields(thing)
                if _followed(value)
            ]
    return found


def grown(before: Counter[str], after: Counter[str], by: int) -> dict[str, tuple[int, int]]:
    """Tables that hold more than `by` entries more than before, with both counts."""
    return {
        name: (before[name], count) for name, count in after.items() if count > before[name] + by
    }


def objects() -> int:
    """Objects that the collector knows of, once it has collected."""
    for _ in range(3):
        gc.collect()
    return len(gc.get_objects())


def _followed(thing: object) -> bool:
    return isinstance(thing, _TABLES) or type(thing).__module__.startswith("neocloud.")


def _fields(thing: object) -> list[tuple[str, object]]:
    names = {*getattr(thing, "__dict__", ()), *getattr(type(thing), "__struct_fields__", ())}
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        names |= {slots} if isinstance(slots, str) else set(slots)
    return [(name, getattr(thing, name)) for name in sorted(names) if hasattr(thing, name)]
