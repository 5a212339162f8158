"""Every limit of a setting held against an answer, from the definitions and nothing else."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from neocloud.planner.demand import HOURS
from neocloud.planner.setting import Placed, Setting, Spares

ROOM = 1e-5
"""Relative, and of one: what two tolerances of a solver may add up to."""


def at_most(left: float, right: float, what: str) -> None:
    assert left <= right + ROOM * max(1.0, abs(right)), f"{what}: {left} > {right}"


def check(setting: Setting, placed: Placed) -> None:
    """All demand is served, nothing is exceeded, the cost is what it says, the bound below it."""
    assert placed.replicas.shape == (len(setting.options), HOURS)
    assert placed.replicas.dtype.kind == "i"
    assert (placed.replicas >= 0).all()
    if not setting.hourly:
        assert (placed.replicas == placed.replicas[:, :1]).all()
    _flows(setting, placed)
    _room(setting, placed)
    _power(setting, placed)
    _sites(setting, placed)
    if setting.spares is Spares.SITE:
        _losses(setting, placed)
    assert placed.cost == pytest.approx(cost(setting, placed), rel=1e-9)
    assert placed.bound <= placed.cost


def sent(setting: Setting, placed: Placed) -> np.ndarray:
    """Requests/s by option and hour."""
    total = np.zeros((len(setting.options), HOURS))
    for (o, _), flow in placed.flows.items():
        total[o] += flow
    return total


def _flows(setting: Setting, placed: Placed) -> None:
    served = np.zeros((len(setting.classes), HOURS))
    for (o, k), flow in placed.flows.items():
        assert setting.reaches(setting.classes[k], setting.options[o]), (o, k)
        assert (flow >= 0.0).all()
        served[k] += flow
    for k, demand in enumerate(setting.classes):
        assert served[k] == pytest.approx(demand.by_hour, rel=ROOM, abs=ROOM)
    spare = setting.spares is Spares.REPLICA
    for o, flow in enumerate(sent(setting, placed)):
        for h in range(HOURS):
            n = int(placed.replicas[o, h])
            can = setting.options[o].requests_per_s * max(0, n - spare)
            at_most(flow[h], can, f"requests/s at option {o} in hour {h}")


def _room(setting: Setting, placed: Placed) -> None:
    for h in range(HOURS):
        held = dict.fromkeys(setting.accelerators, 0)
        for o, option in enumerate(setting.options):
            for pool, accelerators in option.holds.items():
                held[option.site, pool] += int(placed.replicas[o, h]) * accelerators
        for pool, there in setting.accelerators.items():
            assert held[pool] <= there, pool
        for group in setting.groups:
            assert sum(held[pool] for pool in group.pools) <= group.accelerators, group


def _power(setting: Setting, placed: Placed) -> None:
    flow = sent(setting, placed)
    emitted = 0.0
    for site, contracts in setting.contracts.items():
        average = np.zeros(HOURS)
        for h in range(HOURS):
            load = full = 0.0
            for o, option in enumerate(setting.options):
                if option.site == site:
                    n = int(placed.replicas[o, h])
                    slope = (option.full_kw - option.idle_kw) / option.requests_per_s
                    load += n * option.idle_kw + slope * flow[o, h]
                    full += n * option.full_kw
            at_most(full, setting.firm_kw(site), f"firm power of {site}")
            if not contracts:
                continue
            drawn = [float(placed.drawn_kw[site, c][h]) for c in range(len(contracts))]
            assert sum(drawn) == pytest.approx(load, rel=1e-9, abs=1e-9)
            for kw, contract in zip(drawn, contracts, strict=True):
                at_most(kw, contract.kw_at(h), f"contract of {site}")
            kg = sum(
                kw * contract.carbon_kg_per_kwh
                for kw, contract in zip(drawn, contracts, strict=True)
            )
            emitted += kg
            average[h] = kg / load if load > 0 else 0.0
        for (o, k), served in placed.flows.items():
            limit = setting.classes[k].carbon_limit_kg_per_kwh
            if setting.options[o].site == site and limit is not None:
                for h in np.flatnonzero(served > ROOM):
                    at_most(average[h], limit, f"emissions at {site}")
    if setting.carbon_cap_kg is not None:
        at_most(emitted, setting.carbon_cap_kg, "emissions")


def _sites(setting: Setting, placed: Placed) -> None:
    for model, least in setting.min_sites.items():
        for h in range(HOURS):
            there = {
                option.site
                for o, option in enumerate(setting.options)
                if option.model == model and placed.replicas[o, h] > 0
            }
            assert len(there) >= least or least <= 1, model


def _losses(setting: Setting, placed: Placed) -> None:
    """Hall's condition over all sets of classes, for each site lost, model and hour."""
    for lost, model in itertools.product(setting.contracts, {c.model for c in setting.classes}):
        options = [
            o
            for o, option in enumerate(setting.options)
            if option.model == model and option.site != lost
        ]
        ways = {
            k: {o for o in options if setting.reaches(demand, setting.options[o])}
            for k, demand in enumerate(setting.classes)
            if demand.model == model
        }
        ways = {k: reached for k, reached in ways.items() if reached}
        for size in range(1, len(ways) + 1):
            for chosen in itertools.combinations(ways, size):
                wanted = sum(setting.classes[k].by_hour for k in chosen)
                reached = set().union(*(ways[k] for k in chosen))
                for h in range(HOURS):
                    can = sum(
                        placed.replicas[o, h] * setting.options[o].requests_per_s for o in reached
                    )
                    at_most(wanted[h], can, f"{model} without {lost} in hour {h}")


def cost(setting: Setting, placed: Placed) -> float:
    """The day's cost again, term by term."""
    terms = [
        float(placed.replicas[o].sum()) * option.cost_per_hour
        for o, option in enumerate(setting.options)
    ]
    for (o, _), flow in placed.flows.items():
        terms += [3600.0 * float(rate) * setting.options[o].network_per_request for rate in flow]
    for site, contracts in setting.contracts.items():
        for c, contract in enumerate(contracts):
            kw = placed.drawn_kw[site, c]
            terms.append(contract.price * max(float(kw.sum()), contract.least_kwh))
            terms.append(contract.peak_price * float(kw.max()))
            terms.append(setting.carbon_price * contract.carbon_kg_per_kwh * float(kw.sum()))
    return math.fsum(terms)
