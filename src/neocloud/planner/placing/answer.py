"""From chosen replicas to the answer: the best flows for them, shared out among the classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neocloud.planner.demand import HOURS
from neocloud.planner.placing.cuts import broken
from neocloud.planner.placing.formulation import (
    Cut,
    Formulation,
    cut,
    fix,
    limit,
    plain_costs,
    serve,
)
from neocloud.planner.placing.layout import Layout, Numbers
from neocloud.planner.placing.limits import feed, hold
from neocloud.planner.placing.program import Watch, relax, solve
from neocloud.planner.placing.serving import spread
from neocloud.planner.setting import Placed, Setting


def settle(
    layout: Layout, replicas: Numbers, cuts: list[Cut], watch: Watch
) -> tuple[Formulation, Numbers] | None:
    """The cheapest flows for given replicas: formulation and values; None if they do not do.

    Args:
        layout: the setting.
        replicas: whole numbers, shape (o, 24), or (o, 1) for all day.
        cuts: to begin with; what is found broken is added.
        watch: the time that is left.
    """
    options = np.flatnonzero(replicas.max(axis=1, initial=0.0) > 0.0)
    chosen = replicas[options]
    while True:
        f = serve(layout, plain_costs(layout), options=options)
        fix(f, chosen)
        cut(f, cuts)
        hold(f)
        feed(f)
        limit(f)
        if layout.gates:
            whole = solve(f.program, watch, relative_gap=1e-9)
            values = None if whole is None else whole.values
        else:
            answer = relax(f.program, watch)
            values = None if answer is None else answer.values
        if values is None:
            return None
        more = broken(f, values)
        if not more:
            return f, values
        cuts += more


def read(f: Formulation, values: Numbers, bound: float) -> Placed:
    """The answer in the terms of the setting."""
    layout = f.layout
    setting = layout.setting
    replicas = np.zeros((len(layout.option_model), HOURS), dtype=np.int64)
    replicas[f.options] = np.rint(values[f.by_hour()]).astype(np.int64)
    sent = np.zeros((len(layout.port_option), HOURS))
    sent[f.ports] = np.maximum(values[f.sent], 0.0)
    flows = _shared_out(layout, sent)
    drawn_kw = _drawn(layout, replicas, flows, np.maximum(values[f.drawn], 0.0))
    cost = cost_of(setting, replicas, flows, drawn_kw)
    return Placed(
        replicas=replicas, flows=flows, drawn_kw=drawn_kw, cost=cost, bound=min(bound, cost)
    )


def _shared_out(layout: Layout, sent: Numbers) -> dict[tuple[int, int], Numbers]:
    """Flows by option and class from what goes through the ports."""
    found: dict[tuple[int, int], Numbers] = {}
    used = sent.max(axis=1, initial=0.0) > 0.0
    for m in range(len(layout.models)):
        types = np.flatnonzero(layout.type_model == m)
        ports = np.flatnonzero(used & (layout.option_model[layout.port_option] == m))
        reach = layout.reach[np.ix_(types, ports)]
        by_hour = np.zeros((len(types), len(ports), HOURS))
        for h in range(HOURS):
            wanted = layout.demand[types, h]
            flow, _ = spread(reach, sent[ports, h], wanted)
            served = flow.sum(axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                # What the solver left open within its tolerance goes where the rest goes.
                scale = np.where(served > 0.0, wanted / served, 0.0)
            by_hour[:, :, h] = flow * scale[:, None]
        for t, p in zip(*np.nonzero(by_hour.max(axis=2, initial=0.0) > 0.0), strict=True):
            _to_classes(layout, int(types[t]), int(ports[p]), by_hour[t, p], found)
    return found


def _to_classes(
    layout: Layout,
    kind: int,
    port: int,
    flow: Numbers,
    found: dict[tuple[int, int], Numbers],
) -> None:
    """Share a type's flow among its classes in proportion to what they want."""
    whole = layout.demand[kind]
    for k in layout.members[kind]:
        wanted = layout.setting.classes[k].by_hour
        share = np.divide(wanted, whole, out=np.zeros(HOURS), where=whole > 0.0)
        part = flow * share
        if part.max() > 0.0:
            key = (int(layout.port_option[port]), k)
            found[key] = found.get(key, np.zeros(HOURS)) + part


def _drawn(
    layout: Layout,
    replicas: NDArray[np.int64],
    flows: dict[tuple[int, int], Numbers],
    drawn: Numbers,
) -> dict[tuple[str, int], Numbers]:
    """Power by contract, made to agree with the load to the last digit."""
    sent = np.zeros((len(layout.option_model), HOURS))
    for (o, _), flow in flows.items():
        sent[o] += flow
    load = replicas * layout.idle_kw[:, None] + sent * layout.slope_kw[:, None]
    found, first = {}, 0
    for s, site in enumerate(layout.sites):
        count = len(layout.setting.contracts[site])
        part = drawn[first : first + count]
        first += count
        if count == 0:
            continue
        wanted, total = load[layout.option_site == s].sum(axis=0), part.sum(axis=0)
        scale = np.divide(wanted, total, out=np.zeros(HOURS), where=total > 0.0)
        for c in range(count):
            found[site, c] = part[c] * scale
    return found


def cost_of(
    setting: Setting,
    replicas: NDArray[np.int64],
    flows: dict[tuple[int, int], Numbers],
    drawn_kw: dict[tuple[str, int], Numbers],
) -> float:
    """Cost of the day: replicas, energy, highest draws, emissions, network."""
    hours = replicas.sum(axis=1)
    total = sum(n * o.cost_per_hour for n, o in zip(hours, setting.options, strict=True))
    for (site, c), kw in drawn_kw.items():
        contract = setting.contracts[site][c]
        kwh = float(kw.sum())
        total += max(kwh, contract.least_kwh) * contract.price
        total += float(kw.max()) * contract.peak_price
        total += kwh * contract.carbon_kg_per_kwh * setting.carbon_price
    for (o, _), flow in flows.items():
        total += float(flow.sum()) * 3600.0 * setting.options[o].network_per_request
    return float(total)
