"""Placement against every possible answer of tiny clouds, and the program underneath."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.perf import Configuration, Memory
from neocloud.planner import OperatingPoint
from neocloud.planner.candidates import Candidate
from neocloud.planner.demand import HOURS, DemandClass
from neocloud.planner.placement import Contract, Option, Setting, place, reaches, shortages
from neocloud.planner.program import INFINITY, Program

ROUND_TRIP_MS = 10.0
NOTHING = Memory(
    capacity=0,
    weights=0,
    activations=0,
    reserve=0,
    kv_cache=0,
    kv_bytes_per_token=1,
    kv_tokens=1,
    replica_kv_tokens=1,
)


def point(rate: float, watts: float) -> OperatingPoint:
    return OperatingPoint(
        requests_per_s=rate,
        decode_batch=1.0,
        ttft_ms=1.0,
        ttft_ms_at_percentile=1.0,
        tpot_ms=1.0,
        tpot_ms_at_percentile=1.0,
        busy=0.5,
        watts=watts,
    )


def candidate(tp: int, rate: float, idle: float, full: float, reach: float = 100.0) -> Candidate:
    return Candidate(
        configuration=Configuration(accelerator="h100-sxm", tp=tp, precision="bf16"),
        memory=NOTHING,
        max_rtt_ms=reach,
        requests_per_s=rate,
        curve=(point(0.0, idle), point(rate, full)),
        cost_per_hour=0.0,
    )


@dataclass
class Tiny:
    """Two sites with a pool each; one metro; one class of demand a model."""

    options: list[Option]
    demand: dict[str, np.ndarray]
    accelerators: dict[str, int]
    price: dict[str, float]
    capacity_kw: dict[str, float | None]
    take_or_pay: dict[str, float] = field(default_factory=dict)

    def setting(self) -> Setting:
        sites = tuple(self.accelerators)
        return Setting(
            options=tuple(self.options),
            classes=tuple(
                DemandClass(model, "here", sites, hourly, {"acme": 1.0})
                for model, hourly in self.demand.items()
            ),
            contracts={
                s: (Contract(self.price[s], self.capacity_kw[s], self.take_or_pay.get(s, 0.0)),)
                for s in sites
            },
            pue=dict.fromkeys(sites, 1.25),
            accelerators={(s, "pool"): n for s, n in self.accelerators.items()},
            rtt_ms={("here", s): ROUND_TRIP_MS for s in sites},
        )

    def best(self) -> float | None:
        """The least cost of a day over all numbers of replicas, or None."""
        most = [self.accelerators[o.site] // o.candidate.configuration.tp for o in self.options]
        costs = [
            self.cost(counts)
            for counts in itertools.product(*(range(m + 1) for m in most))
            if self.allowed(counts)
        ]
        return min((c for c in costs if c is not None), default=None)

    def allowed(self, counts: tuple[int, ...]) -> bool:
        for site, there in self.accelerators.items():
            here = [(n, o) for n, o in zip(counts, self.options, strict=True) if o.site == site]
            if sum(n * o.candidate.configuration.tp for n, o in here) > there:
                return False
            kw = sum(n * o.candidate.full_watts * 1.25 / 1e3 for n, o in here)
            limit = self.capacity_kw[site]
            if limit is not None and kw > limit + 1e-9:
                return False
        return True

    def cost(self, counts: tuple[int, ...]) -> float | None:
        """Each hour the cheapest request goes first: with one class a model that is the best."""
        total = 0.0
        for n, o in zip(counts, self.options, strict=True):
            idle = n * o.candidate.idle_watts * 1.25 / 1e3 * self.price[o.site]
            total += HOURS * (n * o.candidate.configuration.tp * o.accelerator_hour + idle)
        for model, hourly in self.demand.items():
            by_price = sorted(
                (self.each(o), n * o.candidate.requests_per_s)
                for n, o in zip(counts, self.options, strict=True)
                if o.model == model and o.candidate.max_rtt_ms >= ROUND_TRIP_MS
            )
            for rate in hourly:
                left = rate
                for price, room in by_price:
                    served = min(left, room)
                    total += served * price
                    left -= served
                if left > 1e-9:
                    return None
        return total

    def each(self, o: Option) -> float:
        """Cost of an hour of one request/s."""
        c = o.candidate
        slope = (c.full_watts - c.idle_watts) / c.requests_per_s
        return slope * 1.25 / 1e3 * self.price[o.site] + 3600.0 * o.network_per_request


@st.composite
def tiny(draw) -> Tiny:
    sites = ("a", "b")
    models = draw(st.sampled_from((("m",), ("m", "n"))))
    options = []
    for site, model in itertools.product(sites, models):
        for _ in range(draw(st.integers(1, 2 if len(models) == 1 else 1))):
            tp = draw(st.sampled_from((1, 2)))
            idle = draw(st.integers(100, 400)) * float(tp)
            options.append(
                Option(
                    site,
                    "pool",
                    model,
                    candidate(
                        tp,
                        float(draw(st.integers(2, 12))) * tp,
                        idle,
                        idle + draw(st.integers(50, 700)),
                        reach=draw(st.sampled_from((100.0, 100.0, 5.0))),
                    ),
                    draw(st.integers(10, 40)) / 10.0,
                    draw(st.sampled_from((0.0, 1e-6))),
                )
            )
    demand = {}
    for model in models:
        low, high = draw(st.integers(1, 20)), draw(st.integers(1, 40))
        demand[model] = np.array([float(low)] * 12 + [float(max(low, high))] * 12)
    return Tiny(
        options=options,
        demand=demand,
        accelerators={s: draw(st.integers(1, 5)) for s in sites},
        price={s: draw(st.integers(2, 40)) / 100.0 for s in sites},
        capacity_kw={s: draw(st.sampled_from((None, 1.0, 3.0))) for s in sites},
    )


@given(tiny())
@settings(max_examples=150)
def test_placement_finds_the_best_of_all(cloud: Tiny):
    best, placed = cloud.best(), place(cloud.setting())
    if best is None:
        assert placed is None
        assert shortages(cloud.setting())
        return
    assert placed is not None
    assert placed.objective == pytest.approx(best, rel=2e-4)
    assert placed.gap <= 1e-4
    assert cloud.allowed(placed.replicas)
    again = cloud.cost(placed.replicas)
    assert again == pytest.approx(best, rel=2e-4)


@given(tiny())
@settings(max_examples=60)
def test_flows_serve_the_demand_and_fit_the_replicas(cloud: Tiny):
    setting = cloud.setting()
    placed = place(setting)
    if placed is None:
        return
    for k, demand in enumerate(setting.classes):
        served = sum(f for (_, kk), f in placed.flows.items() if kk == k)
        assert served == pytest.approx(demand.by_hour, rel=1e-6)
    for o, option in enumerate(setting.options):
        sent = sum((f for (oo, _), f in placed.flows.items() if oo == o), np.zeros(HOURS))
        assert (sent <= placed.replicas[o] * option.candidate.requests_per_s + 1e-6).all()


def one_site(rate: float = 20.0, **changes) -> Tiny:
    settings_ = {
        "options": [Option("a", "pool", "m", candidate(1, 10.0, 200.0, 700.0), 2.0, 0.0)],
        "demand": {"m": np.full(HOURS, rate)},
        "accelerators": {"a": 4},
        "price": {"a": 0.1},
        "capacity_kw": {"a": None},
    }
    return Tiny(**(settings_ | changes))


def test_a_day_by_hand():
    """Two replicas at full load: 2 USD an hour each, 0.7 kW each, PUE 1.25, 0.10 USD a kWh."""
    placed = place(one_site().setting())
    assert placed.replicas == (2,)
    assert placed.objective == pytest.approx(24 * (2 * 2.0 + 2 * 0.7 * 1.25 * 0.1))
    assert placed.drawn_kwh["a", 0] == pytest.approx(24 * 2 * 0.7 * 1.25)


def test_what_is_not_drawn_is_paid_for_where_the_contract_says_so():
    """10 kW of which half is paid for anyway, more than the 1.75 kW that are drawn."""
    cloud = one_site(capacity_kw={"a": 10.0}, take_or_pay={"a": 0.5})
    placed = place(cloud.setting())
    assert placed.objective == pytest.approx(24 * (2 * 2.0 + 5.0 * 0.1))


def test_dear_contracts_are_used_last():
    base = one_site().setting()
    setting = Setting(
        options=base.options,
        classes=base.classes,
        contracts={"a": (Contract(0.3, None, 0.0), Contract(0.1, 1.0, 0.0))},
        pue=base.pue,
        accelerators=base.accelerators,
        rtt_ms=base.rtt_ms,
    )
    drawn = place(setting).drawn_kwh
    assert drawn["a", 1] == pytest.approx(24 * 1.0)
    assert drawn["a", 0] == pytest.approx(24 * 0.75)


@pytest.mark.parametrize(
    ("cloud", "limit", "missing"),
    [
        (one_site(rate=60.0), "accelerators", 2.0),
        (one_site(capacity_kw={"a": 1.0}), "power", 0.75e-3),
        (one_site(rate=15.0, capacity_kw={"a": 0.0}), "power", 1.75e-3),
    ],
)
def test_what_is_missing_is_counted(cloud: Tiny, limit: str, missing: float):
    assert place(cloud.setting()) is None
    (found,) = shortages(cloud.setting())
    assert found.limit == limit
    assert found.missing == pytest.approx(missing)


def test_reach_is_by_model_site_and_round_trip():
    setting = one_site().setting()
    (demand,), (option,) = setting.classes, setting.options
    assert reaches(setting, demand, option)
    near = Option("a", "pool", "m", candidate(1, 10.0, 1.0, 2.0, reach=9.9), 1.0, 0.0)
    other = Option("a", "pool", "n", option.candidate, 1.0, 0.0)
    elsewhere = DemandClass("m", "here", ("b",), demand.by_hour, {"acme": 1.0})
    assert not reaches(setting, demand, near)
    assert not reaches(setting, demand, other)
    assert not reaches(setting, elsewhere, option)


def test_program_rounds_up_what_must_be_whole():
    program = Program()
    whole, part = program.variable(3.0, integer=True), program.variable(1.0, 0.4)
    program.row(2.3, [(whole, 1.0), (part, 1.0)], INFINITY)
    solution = program.solve(relative_gap=0.0, seconds=10.0)
    assert solution.values[whole] == pytest.approx(2.0)
    assert solution.values[part] == pytest.approx(0.3)
    assert solution.objective == pytest.approx(6.3)


def test_program_without_an_answer():
    program = Program()
    x = program.variable(1.0, 1.0)
    program.row(2.0, [(x, 1.0)], INFINITY)
    assert program.solve(relative_gap=0.0, seconds=10.0) is None


def test_the_solver_is_silent(capfd):
    assert place(one_site().setting()) is not None
    assert capfd.readouterr() == ("", "")
