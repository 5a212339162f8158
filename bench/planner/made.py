"""Made-up clouds of plausible size for placement: seeded, so the same every time.

All numbers are assumptions of this bench; sizes, prices and powers are of the order of what the
catalog holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neocloud.planner.demand import HOURS, DemandClass
from neocloud.planner.setting import Contract, Option, Setting, Spares


@dataclass(frozen=True)
class Kind:
    """An accelerator: memory (GB), speed beside the first, kW with its share of the node."""

    memory: float
    speed: float
    kw: float
    per_hour: float


KINDS = (
    Kind(80, 1.0, 1.0, 1.9),
    Kind(141, 1.3, 1.0, 2.3),
    Kind(180, 2.2, 1.5, 3.4),
    Kind(192, 1.2, 1.1, 1.8),
)
MODELS = {  # weights (GB), active parameters (1e9), share of requests
    "8b": (9, 8, 0.22), "14b": (16, 14, 0.1), "20b-moe": (14, 4, 0.12), "32b": (34, 32, 0.12),
    "70b": (72, 70, 0.1), "120b-moe": (66, 5, 0.12), "235b-moe": (240, 22, 0.08),
    "405b": (410, 405, 0.02), "480b-moe": (490, 35, 0.05), "671b-moe": (680, 37, 0.07),
}  # fmt: skip
METROS = {  # latitude, longitude, share of users
    "new-york": (40.7, -74.0, 0.17), "san-francisco": (37.8, -122.4, 0.15),
    "sao-paulo": (-23.5, -46.6, 0.07), "london": (51.5, -0.1, 0.12),
    "frankfurt": (50.1, 8.7, 0.12), "mumbai": (19.1, 72.9, 0.11),
    "singapore": (1.35, 103.8, 0.07), "tokyo": (35.7, 139.7, 0.09),
    "sydney": (-33.9, 151.2, 0.04), "johannesburg": (-26.2, 28.0, 0.06),
}  # fmt: skip
PLACES = (  # where sites stand, beside the metros: latitude, longitude, price of a kWh, kg/kWh
    (39.0, -77.5, 0.07, 0.35), (60.2, 24.9, 0.06, 0.05), (1.3, 103.9, 0.14, 0.45),
    (45.6, -121.2, 0.05, 0.1), (35.6, 140.1, 0.13, 0.45), (50.1, 8.6, 0.14, 0.35),
    (32.8, -96.8, 0.06, 0.38), (53.3, -6.3, 0.13, 0.25), (-23.5, -46.7, 0.08, 0.1),
    (19.1, 73.0, 0.09, 0.65), (41.3, -95.9, 0.06, 0.4), (59.3, 18.1, 0.05, 0.02),
    (-33.8, 151.0, 0.12, 0.55), (25.2, 55.3, 0.08, 0.4), (48.9, 2.4, 0.09, 0.06),
    (33.4, -112.1, 0.06, 0.3), (45.5, -73.6, 0.05, 0.01), (37.5, 127.0, 0.1, 0.42),
    (-26.1, 28.1, 0.08, 0.8), (40.4, -3.7, 0.08, 0.15),
)  # fmt: skip
BY_LOCAL_HOUR = 1.0 + 0.6 * np.cos((np.arange(HOURS) - 15.0) * 2.0 * np.pi / HOURS)


def round_trip_ms(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Twice the great circle at two thirds of light, half as much again for the way; 10 for both
    ends."""
    (a, b), (c, d) = (tuple(map(math.radians, x[:2])) for x in (one, other))
    half = math.sin((c - a) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((d - b) / 2) ** 2
    return 10.0 + 2.0 * 1.5 * 2.0 * 6371.0 * math.asin(math.sqrt(half)) / 200.0


def made(
    *, pools: int, seed: int, hourly: bool, spares: Spares = Spares.NONE, used: float = 0.7
) -> Setting:
    """A cloud with so many pools, on four sites or three a site; at peak `used` of it is in use."""
    draw = np.random.default_rng(seed)
    sites = [f"site-{i}" for i in range(max(4, pools // 3))]
    places = dict(zip(sites, PLACES, strict=False))
    options, accelerators = [], {}
    for i in range(pools):
        site, pool = sites[i % len(sites)], f"pool-{i}"
        kind = KINDS[int(draw.integers(len(KINDS)))]
        accelerators[site, pool] = int(draw.choice((16, 32, 64, 128, 256, 512)))
        price = kind.per_hour * draw.uniform(0.85, 1.2)
        for model in MODELS:
            options += _options(draw, site, pool, kind, model, price, pue=draw.uniform(1.1, 1.4))
    classes = _classes(draw, options, sites, places, used * sum(accelerators.values()))
    full = dict.fromkeys(sites, 0.0)
    for (site, pool), there in accelerators.items():
        densest = max(o.full_kw / o.holds[pool] for o in options if pool in o.holds)
        full[site] += there * densest
    return Setting(
        options=tuple(options),
        classes=classes,
        contracts={s: _contracts(draw, places[s], full[s]) for s in sites},
        accelerators=accelerators,
        node_accelerators=dict.fromkeys(accelerators, 8),
        rtt_ms={(m, s): round_trip_ms(METROS[m], places[s]) for m in METROS for s in sites},
        hourly=hourly,
        spares=spares,
    )


def _options(draw, site, pool, kind, model, price, pue) -> list[Option]:
    """Two to four: more accelerators answer sooner, reach farther and are used less well."""
    weights, active, _ = MODELS[model]
    least = 1
    while least * kind.memory * 0.8 < weights:
        least *= 2
    found = []
    for step in range(int(draw.integers(2, 5))):
        size = min(16, least * 2 ** (step // 2))
        loaded = step % 2  # each size at a full and at a lower load
        useful = (1.0 - weights / (size * kind.memory)) ** 0.5
        each = 40.0 * kind.speed / active**0.8 * useful * (0.9 ** (step // 2)) * (1.0, 0.8)[loaded]
        full = size * kind.kw * pue * (0.8, 0.72)[loaded] * draw.uniform(0.95, 1.05)
        found.append(
            Option(
                model=model,
                site=site,
                holds={pool: size},
                requests_per_s=float(size * each * draw.uniform(0.95, 1.05)),
                max_rtt_ms=float((120.0, 240.0)[loaded] * (1.0 + 0.4 * (step // 2))),
                idle_kw=0.35 * size * kind.kw * pue,
                full_kw=full,
                cost_per_hour=size * price,
                network_per_request=2e-7 * float(draw.uniform(0.5, 2.0)),
            )
        )
    return found


def _classes(draw, options, sites, places, accelerators) -> tuple[DemandClass, ...]:
    """Every model from every metro; a fifth of Europe's demand stays near it."""
    near = tuple(s for s in sites if places[s][0] > 35 and -15 < places[s][1] < 30)
    each = {
        model: float(
            np.quantile(
                [sum(o.holds.values()) / o.requests_per_s for o in options if o.model == model],
                0.25,
            )
        )
        for model in MODELS
    }
    shares, shapes = {}, {}
    for model, (_, _, share) in MODELS.items():
        for metro, (_, longitude, users) in METROS.items():
            local = (np.arange(HOURS) + round(longitude / 15.0)) % HOURS
            shares[model, metro] = share * users * draw.uniform(0.5, 1.5)
            shapes[model, metro] = BY_LOCAL_HOUR[local]
    wanted = sum(shares[k] * shapes[k] * each[k[0]] for k in shares).max()
    found = []
    for (model, metro), share in shares.items():
        rate = share * shapes[model, metro] * accelerators / wanted
        parts = [(1.0, tuple(sites))]
        if near and metro in {"london", "frankfurt"}:
            parts = [(0.8, tuple(sites)), (0.2, near)]
        found += [
            DemandClass(model, metro, allowed, rate * part, {"acme": 1.0})
            for part, allowed in parts
        ]
    return tuple(found)


def _contracts(draw, place, full_kw: float) -> tuple[Contract, ...]:
    """The grid; for most sites beside it sun, or energy that must be taken."""
    grid = Contract(
        price=place[2] * draw.uniform(0.9, 1.1),
        capacity_kw=full_kw * draw.uniform(0.7, 1.0),
        carbon_kg_per_kwh=place[3],
        peak_price=float(draw.choice((0.0, 0.3))),
    )
    hour = (np.arange(HOURS) + round(place[1] / 15.0)) % HOURS
    sun = np.clip(np.sin((hour - 6) * np.pi / 12.0), 0.0, 1.0)
    more = {
        "sun": Contract(
            price=grid.price * 0.5,
            capacity_kw=full_kw * 0.4,
            availability=tuple(sun.tolist()),
            take_or_pay=float(draw.choice((0.0, 1.0))),
        ),
        "taken": Contract(price=grid.price * 0.8, capacity_kw=full_kw * 0.4, take_or_pay=0.9),
    }
    chosen = draw.choice(("none", "sun", "taken", "both"))
    return (grid, *(c for name, c in more.items() if chosen in (name, "both")))
