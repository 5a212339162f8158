"""The setting as arrays, with classes that the same options may serve alike joined.

What serving costs goes by option and not by the user's metro: the metro only decides who may serve.
So classes of one model with the same ways to be served are one type of demand, exactly.

A port is a way through an option: most options have one. Where a class must not be served on energy
that emits too much, and the site's energy may, the option has a second port for such classes, which
a gate of the site opens in hours in which the site's energy is clean enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.planner.demand import HOURS, DemandClass
from neocloud.planner.setting import INFINITY, Setting, Spares

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
Truths = NDArray[np.bool_]
_HAIR = 1e-9
"""Relative room left where a whole number is cut from a quotient."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A site whose energy may emit more than some classes allow, kg/kWh."""

    site: int
    limit: float


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A setting as arrays over options (o), ports (p), types of demand (t), pools, sites.

    Attributes:
        setting: what it was made from.
        models: keys in the order of the numbers used here; likewise sites and pools.
        sites: keys.
        pools: (site, pool).
        option_model: shape (o,); likewise site, rate, idle, slope (kW of a request/s), full, cost
            of an hour, network cost of an hour of one request/s.
        option_site: shape (o,).
        rate: requests/s.
        idle_kw: at no load.
        slope_kw: more power for each request/s.
        full_kw: at full load.
        hour_cost: of what a replica holds.
        flow_cost: of an hour of one request/s.
        holds: accelerators, shape (pools, o).
        useful: replicas beyond which no more are of use, shape (o,).
        most: replicas beyond which no more can stand or be of use, shape (o,).
        port_option: shape (p,).
        port_gate: place of the gate, -1 for none, shape (p,).
        gates: where classes limit what the energy emits.
        type_model: shape (t,).
        members: classes of each type.
        demand: requests/s, shape (t, 24).
        reach: ports that may serve a type, shape (t, p).
        option_reach: options that may, gates aside, shape (t, o).
        most_sent: requests/s that may go through a port at most, shape (p, 24).
    """

    setting: Setting
    models: tuple[str, ...]
    sites: tuple[str, ...]
    pools: tuple[tuple[str, str], ...]
    option_model: Places
    option_site: Places
    rate: Numbers
    idle_kw: Numbers
    slope_kw: Numbers
    full_kw: Numbers
    hour_cost: Numbers
    flow_cost: Numbers
    holds: Numbers
    useful: Numbers
    most: Numbers
    port_option: Places
    port_gate: Places
    gates: tuple[Gate, ...]
    type_model: Places
    members: tuple[tuple[int, ...], ...]
    demand: Numbers
    reach: Truths
    option_reach: Truths
    most_sent: Numbers
    shut: bool = False
    """Whether gates are shut in some hours: what holds in a few hours then does not in all."""

    @property
    def unreachable(self) -> tuple[int, ...]:
        """Types with demand that nothing may and can serve."""
        wanted = self.demand.max(axis=1, initial=0.0) > 0.0
        return tuple(np.flatnonzero(wanted & ~self.reach.any(axis=1)).tolist())

    def firm_kw(self) -> Numbers:
        """What each site may draw in every hour, shape (sites,)."""
        return np.array([self.setting.firm_kw(site) for site in self.sites])

    def most_kw(self) -> Numbers:
        """The most that each site could draw, finite, shape (sites,)."""
        by_site = np.bincount(
            self.option_site, weights=self.most * self.full_kw, minlength=len(self.sites)
        )
        return np.minimum(self.firm_kw(), by_site)


def lay_out(setting: Setting) -> Layout:
    """Number options, pools and sites, and join the classes that are served alike."""
    options = setting.options
    models = tuple(sorted({o.model for o in options} | {c.model for c in setting.classes}))
    sites, pools = tuple(setting.contracts), tuple(setting.accelerators)
    model_place = {key: place for place, key in enumerate(models)}
    site_place = {key: place for place, key in enumerate(sites)}
    pool_place = {key: place for place, key in enumerate(pools)}
    holds = np.zeros((len(pools), len(options)))
    for o, option in enumerate(options):
        for pool, accelerators in option.holds.items():
            holds[pool_place[option.site, pool], o] += accelerators
    option_model = np.array([model_place[o.model] for o in options], dtype=np.int64)
    option_site = np.array([site_place[o.site] for o in options], dtype=np.int64)
    rate = np.array([o.requests_per_s for o in options])
    full_kw = np.array([o.full_kw for o in options])
    idle_kw = np.array([o.idle_kw for o in options])
    reach = _reach(setting, option_site, sites)
    port_option, port_gate, gates, by_port = _ports(setting, sites, option_site, reach)
    useful = _useful(setting, reach, rate)
    members = _joined(setting.classes, by_port)
    firsts = [group[0] for group in members]
    demand = np.zeros((len(members), HOURS))
    for place, group in enumerate(members):
        demand[place] = sum(setting.classes[k].by_hour for k in group)
    return Layout(
        setting=setting,
        models=models,
        sites=sites,
        pools=pools,
        option_model=option_model,
        option_site=option_site,
        rate=rate,
        idle_kw=idle_kw,
        slope_kw=(full_kw - idle_kw) / rate,
        full_kw=full_kw,
        hour_cost=np.array([o.cost_per_hour for o in options]),
        flow_cost=np.array([3600.0 * o.network_per_request for o in options]),
        holds=holds,
        useful=useful,
        most=np.minimum(useful, _fitting(setting, holds, full_kw)),
        port_option=port_option,
        port_gate=port_gate,
        gates=gates,
        type_model=np.array([model_place[setting.classes[k].model] for k in firsts], np.int64),
        members=members,
        demand=demand,
        reach=by_port[firsts],
        option_reach=reach[firsts],
        most_sent=by_port[firsts].T.astype(np.float64) @ demand,
    )


def _reach(setting: Setting, option_site: Places, sites: tuple[str, ...]) -> Truths:
    """Which options may and can serve a class in time, shape (classes, o)."""
    option_model = np.array([o.model for o in setting.options], dtype=object)
    limit = np.array([o.max_rtt_ms for o in setting.options])
    found = np.zeros((len(setting.classes), len(setting.options)), dtype=bool)
    for k, demand in enumerate(setting.classes):
        rtt = np.array(
            [
                setting.rtt_ms[demand.metro, site] if site in demand.sites else INFINITY
                for site in sites
            ]
        )
        if len(setting.options):
            # The same slack as Setting.reaches.
            found[k] = (option_model == demand.model) & (rtt[option_site] <= limit + 1e-9)
    return found


def _ports(
    setting: Setting, sites: tuple[str, ...], option_site: Places, reach: Truths
) -> tuple[Places, Places, tuple[Gate, ...], Truths]:
    """Options and gates of the ports, the gates, and reach by port, shape (classes, p)."""
    dirtiest = [
        max((c.carbon_kg_per_kwh for c in setting.contracts[site]), default=0.0) for site in sites
    ]
    count = len(setting.options)
    port_option, port_gate, columns = list(range(count)), [-1] * count, [reach.copy()]
    gates: dict[Gate, int] = {}
    ports: dict[tuple[int, int], int] = {}
    for k, demand in enumerate(setting.classes):
        limit = demand.carbon_limit_kg_per_kwh
        if limit is None:
            continue
        for o in np.flatnonzero(reach[k]):
            site = int(option_site[o])
            if dirtiest[site] <= limit:
                continue
            gate = gates.setdefault(Gate(site, limit), len(gates))
            if (int(o), gate) not in ports:
                ports[int(o), gate] = len(port_option)
                port_option.append(int(o))
                port_gate.append(gate)
                columns.append(np.zeros((len(setting.classes), 1), dtype=bool))
            columns[0][k, o] = False
            columns[ports[int(o), gate] - count + 1][k, 0] = True
    return (
        np.array(port_option, dtype=np.int64),
        np.array(port_gate, dtype=np.int64),
        tuple(gates),
        np.concatenate(columns, axis=1),
    )


def _joined(classes: tuple[DemandClass, ...], by_port: Truths) -> tuple[tuple[int, ...], ...]:
    groups: dict[tuple[str, bytes], list[int]] = {}
    for k, demand in enumerate(classes):
        groups.setdefault((demand.model, by_port[k].tobytes()), []).append(k)
    return tuple(tuple(group) for group in groups.values())


def _useful(setting: Setting, reach: Truths, rate: Numbers) -> Numbers:
    """Replicas of an option beyond which none is of use: all that it may serve fits in them."""
    by_hour = np.array([c.by_hour for c in setting.classes]).reshape(-1, HOURS)
    peak = (reach.T.astype(np.float64) @ by_hour).max(axis=1, initial=0.0)
    useful = np.ceil(peak / rate * (1.0 - _HAIR))
    spare = setting.spares is Spares.REPLICA
    at_least = np.array([float(setting.min_sites.get(o.model, 0) > 1) for o in setting.options])
    found: Numbers = np.maximum(useful + (spare & (useful > 0)), at_least)
    return found


def _fitting(setting: Setting, holds: Numbers, full_kw: Numbers) -> Numbers:
    """Replicas of an option that its pools, their groups and its site's power would hold."""
    room = np.array(list(setting.accelerators.values()), dtype=np.float64)
    firm = np.array([setting.firm_kw(o.site) for o in setting.options])
    limits = [(holds, room[:, None]), (full_kw[None, :], firm[None, :])]
    for group in setting.groups:
        inside = np.array([pool in group.pools for pool in setting.accelerators], dtype=bool)
        limits.append((holds[inside].sum(axis=0)[None, :], np.full((1, 1), group.accelerators)))
    fits = np.full(len(setting.options), INFINITY)
    for taken, there in limits:
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(taken > 0, np.floor(there / taken * (1.0 + _HAIR)), INFINITY)
        fits = np.minimum(fits, each.min(axis=0, initial=INFINITY))
    found: Numbers = np.maximum(fits, 0.0)
    return found
