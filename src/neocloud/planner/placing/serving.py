"""Who may be served from what is sent: the condition, the sets that break it, and the flows.

Demand of types and supply of ports, in one hour: all demand can be served within reach if and only
if for every set of types the ports that reach any of them give as much as the set wants (Hall's
condition; Gale 1957 for flows). So placement needs no flow by type: sets that break the condition
become rows, and the flows follow at the end.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]
TOLERANCE = 1e-6
"""Of a set's demand, or of a request/s where that is more: what solvers leave open."""
_COUNTED_TYPES = 12
"""Up to so many types all their sets are looked at; beyond, a cut is searched hour by hour."""


def short_sets(reach: Truths, supply: Numbers, demand: Numbers) -> list[tuple[Truths, Truths]]:
    """Sets of types that get less than they want, with the hours in which they do.

    In each hour with such a set the one that misses most, and where else it misses.

    Args:
        reach: shape (types, ports).
        supply: shape (ports, hours).
        demand: shape (types, hours).
    """
    worst = _counted(reach, supply, demand) if len(reach) <= _COUNTED_TYPES else None
    sets: dict[bytes, Truths] = {}
    for hour in range(demand.shape[1]):
        if worst is not None:
            inside = worst[:, hour]
        else:
            inside = spread(reach, supply[:, hour], demand[:, hour])[1]
        if inside.any():
            sets.setdefault(inside.tobytes(), inside.copy())
    found = []
    for inside in sets.values():
        wanted = demand[inside].sum(axis=0)
        given = supply[reach[inside].any(axis=0)].sum(axis=0)
        hours = wanted - given > TOLERANCE * np.maximum(1.0, wanted)
        if hours.any():
            found.append((inside, hours))
    return found


def _counted(reach: Truths, supply: Numbers, demand: Numbers) -> Truths:
    """The set that misses most in each hour, shape (types, hours), over all sets."""
    types, hours = demand.shape
    weight = 1 << np.arange(types)
    sets = 1 << types
    confined = np.zeros((sets, hours))
    np.add.at(confined, weight @ reach, supply)
    wanted = np.zeros((sets, hours))
    wanted[weight] = demand
    for table in (confined, wanted):  # from each set to the sum over its subsets
        for t in range(types):
            half = table.reshape(-1, 2, 1 << t, hours)
            half[:, 1] += half[:, 0]
    missing = wanted - (supply.sum(axis=0) - confined[::-1])  # the complement's ports give nothing
    worst = missing.argmax(axis=0)
    found: Truths = (worst[None, :] & weight[:, None]) > 0
    return found


def spread(reach: Truths, supply: Numbers, demand: Numbers) -> tuple[Numbers, Truths]:
    """Flows of one hour, and a set that gets least for what it wants (empty if all is served).

    A maximum flow by shortest ways of growth (Edmonds and Karp 1972), begun greedily.

    Args:
        reach: shape (types, ports).
        supply: shape (ports,).
        demand: shape (types,).

    Returns:
        Flows of shape (types, ports) and the set, shape (types,).
    """
    flow = np.zeros(reach.shape)
    left, room = demand.astype(np.float64).copy(), supply.astype(np.float64).copy()
    hair = 1e-12 * max(1.0, float(demand.sum()))
    for t in np.argsort(reach.sum(axis=1), kind="stable"):
        ports = np.flatnonzero(reach[t] & (room > hair))
        before = np.cumsum(room[ports]) - room[ports]
        sent = np.clip(left[t] - before, 0.0, room[ports])
        flow[t, ports] += sent
        room[ports] -= sent
        left[t] -= sent.sum()
    while True:
        seen = left > hair
        path = _way(reach, flow, room, seen, hair)
        if path is None:
            return flow, seen
        amount = min(left[path[0]], room[path[-1]])
        for back in range(1, len(path) - 1, 2):  # port, then the type that gives way there
            amount = min(amount, flow[path[back + 1], path[back]])
        left[path[0]] -= amount
        room[path[-1]] -= amount
        for step in range(0, len(path) - 1, 2):
            flow[path[step], path[step + 1]] += amount
            if step + 2 < len(path):
                flow[path[step + 2], path[step + 1]] -= amount


def _way(
    reach: Truths, flow: Numbers, room: Numbers, seen: Truths, hair: float
) -> list[int] | None:
    """A shortest way type, port, type, ..., port from a type in `seen`; it grows by what is met."""
    queue = np.flatnonzero(seen).tolist()
    came_type: dict[int, int] = {}
    came_port: dict[int, int] = {}
    while queue:
        t = queue.pop(0)
        for p in np.flatnonzero(reach[t]).tolist():
            if p in came_port:
                continue
            came_port[p] = t
            if room[p] > hair:
                return _traced(p, came_port, came_type)
            for other in np.flatnonzero((flow[:, p] > hair) & ~seen).tolist():
                seen[other] = True
                came_type[other] = p
                queue.append(other)
    return None


def _traced(port: int, came_port: dict[int, int], came_type: dict[int, int]) -> list[int]:
    path = [port]
    while True:
        t = came_port[path[0]]
        path.insert(0, t)
        if t not in came_type:
            return path
        path.insert(0, came_type[t])
