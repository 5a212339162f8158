"""Placement written down a second time, flow by flow, for another solver (SCIP)."""

from __future__ import annotations

import itertools

import pyscipopt
from pyscipopt import quicksum

from neocloud.planner.demand import HOURS
from neocloud.planner.setting import INFINITY, Setting, Spares


def least_cost(setting: Setting) -> float | None:
    """The least cost of a day, None if the demand cannot be served; every flow is a variable."""
    return _Second(setting).solved()


class _Second:
    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.model = pyscipopt.Model()
        self.model.hideOutput()
        self.model.setParam("limits/gap", 0.0)
        self.model.setParam("numerics/feastol", 1e-8)
        self.options = range(len(setting.options))
        self.classes = range(len(setting.classes))
        columns = HOURS if setting.hourly else 1
        counts = {
            (o, c): self.model.addVar(vtype="I", lb=0) for o in self.options for c in range(columns)
        }
        self.n = {
            (o, h): counts[o, h if setting.hourly else 0]
            for o in self.options
            for h in range(HOURS)
        }
        self.flow = self.flows(lambda _: True)
        self.serve(self.flow, exempt=False)
        self.room()
        self.cost = [
            self.n[o, h] * setting.options[o].cost_per_hour
            for o in self.options
            for h in range(HOURS)
        ]
        self.cost += [
            v * (3600.0 * setting.options[o].network_per_request)
            for (o, _, _), v in self.flow.items()
        ]
        self.power()
        self.sites()
        self.spares()

    def solved(self) -> float | None:
        self.model.setObjective(quicksum(self.cost))
        self.model.optimize()
        if self.model.getStatus() == "infeasible":
            return None
        assert self.model.getStatus() == "optimal", self.model.getStatus()
        return float(self.model.getObjVal())

    def flows(self, allowed) -> dict:
        s = self.setting
        return {
            (o, k, h): self.model.addVar(lb=0.0)
            for o in self.options
            for k in self.classes
            if allowed(s.options[o]) and s.reaches(s.classes[k], s.options[o])
            for h in range(HOURS)
        }

    def serve(self, flow: dict, *, exempt: bool) -> None:
        for k, h in itertools.product(self.classes, range(HOURS)):
            served = [flow[o, k, h] for o in self.options if (o, k, h) in flow]
            wanted = float(self.setting.classes[k].by_hour[h])
            if served:
                self.model.addCons(quicksum(served) == wanted)
            elif wanted > 0 and not exempt:
                self.model.addCons(self.model.addVar(lb=0.0, ub=0.0) >= 1.0)
        for o, h in itertools.product(self.options, range(HOURS)):
            sent = [flow[o, k, h] for k in self.classes if (o, k, h) in flow]
            if sent:
                can = self.n[o, h] * self.setting.options[o].requests_per_s
                self.model.addCons(quicksum(sent) <= can)

    def room(self) -> None:
        s = self.setting
        for h in range(HOURS):
            held = {
                pool: quicksum(
                    self.n[o, h] * s.options[o].holds[pool[1]]
                    for o in self.options
                    if s.options[o].site == pool[0] and pool[1] in s.options[o].holds
                )
                for pool in s.accelerators
            }
            for pool, there in s.accelerators.items():
                self.model.addCons(held[pool] <= there)
            for group in s.groups:
                self.model.addCons(quicksum(held[p] for p in group.pools) <= group.accelerators)
            for site in s.contracts:
                if s.firm_kw(site) < INFINITY:
                    full = quicksum(
                        self.n[o, h] * s.options[o].full_kw
                        for o in self.options
                        if s.options[o].site == site
                    )
                    self.model.addCons(full <= s.firm_kw(site))

    def power(self) -> None:
        s, model = self.setting, self.model
        emitted = []
        for site, contracts in s.contracts.items():
            if not contracts:
                continue
            here = [o for o in self.options if s.options[o].site == site]
            drawn = {}
            for (c, contract), h in itertools.product(enumerate(contracts), range(HOURS)):
                kw = contract.kw_at(h)
                drawn[c, h] = model.addVar(lb=0.0, ub=None if kw == INFINITY else kw)
            for h in range(HOURS):
                load = [self.n[o, h] * s.options[o].idle_kw for o in here]
                for (o, _, hour), v in self.flow.items():
                    if hour == h and o in here:
                        option = s.options[o]
                        load.append(v * ((option.full_kw - option.idle_kw) / option.requests_per_s))
                model.addCons(
                    quicksum(drawn[c, h] for c in range(len(contracts))) == quicksum(load)
                )
                self.clean(site, h, [drawn[c, h] for c in range(len(contracts))])
            for c, contract in enumerate(contracts):
                kwh = quicksum(drawn[c, h] for h in range(HOURS))
                paid, peak = model.addVar(lb=contract.least_kwh), model.addVar(lb=0.0)
                model.addCons(paid >= kwh)
                for h in range(HOURS):
                    model.addCons(peak >= drawn[c, h])
                self.cost += [paid * contract.price, peak * contract.peak_price]
                self.cost.append(kwh * (contract.carbon_kg_per_kwh * s.carbon_price))
                emitted.append(kwh * contract.carbon_kg_per_kwh)
        if s.carbon_cap_kg is not None:
            model.addCons(quicksum(emitted) <= s.carbon_cap_kg)

    def clean(self, site: str, h: int, drawn: list) -> None:
        s = self.setting
        for k, demand in enumerate(s.classes):
            limit = demand.carbon_limit_kg_per_kwh
            served = [
                v
                for (o, kk, hh), v in self.flow.items()
                if kk == k and hh == h and s.options[o].site == site
            ]
            if limit is None or not served:
                continue
            dirty = self.model.addVar(vtype="B")
            over = quicksum(
                y * (c.carbon_kg_per_kwh - limit)
                for y, c in zip(drawn, s.contracts[site], strict=True)
            )
            self.model.addCons(over <= dirty * 1e4)
            self.model.addCons(quicksum(served) <= (1 - dirty) * float(demand.by_hour[h]))

    def sites(self) -> None:
        s = self.setting
        for name, least in s.min_sites.items():
            if least <= 1:
                continue
            for h in range(HOURS):
                stands = []
                for site in s.contracts:
                    v = self.model.addVar(vtype="B")
                    self.model.addCons(
                        v
                        <= quicksum(
                            self.n[o, h]
                            for o in self.options
                            if (s.options[o].site, s.options[o].model) == (site, name)
                        )
                    )
                    stands.append(v)
                self.model.addCons(quicksum(stands) >= least)

    def spares(self) -> None:
        s = self.setting
        if s.spares is Spares.REPLICA:
            for o, h in itertools.product(self.options, range(HOURS)):
                sent = quicksum(self.flow[o, k, h] for k in self.classes if (o, k, h) in self.flow)
                rate, in_use = s.options[o].requests_per_s, self.model.addVar(vtype="B")
                self.model.addCons(sent <= (self.n[o, h] - in_use) * rate)
                self.model.addCons(sent <= in_use * 1e3)
        if s.spares is Spares.SITE:
            for lost in s.contracts:
                self.serve(self.flows(lambda o, lost=lost: o.site != lost), exempt=True)
