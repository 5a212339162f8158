"""Small settings to place: by hand and drawn."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from neocloud.planner.demand import HOURS, DemandClass
from neocloud.planner.setting import Contract, Group, Option, Setting, Spares

FAR_MS, NEAR_MS = 90.0, 10.0


def option(**changes) -> Option:
    """One accelerator, 10 requests/s, 0.25 to 0.875 kW, 2 an hour."""
    return Option(
        **(
            {
                "model": "m",
                "site": "a",
                "holds": {"pool": 1},
                "requests_per_s": 10.0,
                "max_rtt_ms": 100.0,
                "idle_kw": 0.25,
                "full_kw": 0.875,
                "cost_per_hour": 2.0,
            }
            | changes
        )
    )


def wanted(rate: float | np.ndarray, **changes) -> DemandClass:
    """Requests/s of one class, from here to any site."""
    by_hour = np.full(HOURS, rate) if np.isscalar(rate) else np.asarray(rate, dtype=float)
    given = {
        "model": "m",
        "metro": "here",
        "sites": ("a", "b", "c"),
        "by_hour": by_hour,
        "share_by_tenant": {"acme": 1.0},
    }
    return DemandClass(**(given | changes))


def setting(options, classes, **changes) -> Setting:
    """Sites of these options, one pool of eight each, power at 0.1 without limit."""
    sites = sorted({o.site for o in options})
    pools = sorted({(o.site, pool) for o in options for pool in o.holds})
    given = {
        "options": tuple(options),
        "classes": tuple(classes),
        "contracts": {s: (Contract(price=0.1),) for s in sites},
        "accelerators": dict.fromkeys(pools, 8),
        "node_accelerators": dict.fromkeys(pools, 2),
        "rtt_ms": {(c.metro, s): NEAR_MS for c in classes for s in sites},
    }
    return Setting(**(given | changes))


def halves(low: float, high: float) -> np.ndarray:
    """Twelve hours each."""
    return np.array([low] * 12 + [high] * 12)


@st.composite
def contracts(draw) -> tuple[Contract, ...]:
    found = []
    for _ in range(draw(st.integers(0, 2))):
        capacity = draw(st.sampled_from((None, None, 4.0, 8.0)))
        sunny = tuple(halves(draw(st.sampled_from((1.0, 1.0, 0.5, 0.0))), 1.0).tolist())
        found.append(
            Contract(
                price=draw(st.integers(2, 40)) / 100.0,
                capacity_kw=capacity,
                take_or_pay=draw(st.sampled_from((0.0, 0.5))),
                availability=sunny if capacity else (1.0,) * HOURS,
                carbon_kg_per_kwh=draw(st.sampled_from((0.0, 0.1, 0.4))),
                peak_price=draw(st.sampled_from((0.0, 0.0, 0.3))),
            )
        )
    return tuple(found)


@st.composite
def options_at(draw, site: str, model: str) -> Option:
    size = draw(st.sampled_from((1, 2)))
    idle = draw(st.integers(1, 4)) / 10.0 * size
    return option(
        model=model,
        site=site,
        holds=draw(st.sampled_from(({"pool": size}, {"pool": size}, {"pool": 1, "other": size}))),
        requests_per_s=float(draw(st.integers(2, 12)) * size),
        max_rtt_ms=draw(st.sampled_from((100.0, 100.0, 100.0, 50.0))),
        idle_kw=idle,
        full_kw=idle + draw(st.integers(1, 7)) / 10.0,
        cost_per_hour=draw(st.integers(10, 40)) / 10.0 * size,
        network_per_request=draw(st.sampled_from((0.0, 1e-5))),
    )


@st.composite
def tiny(draw, *, spares: Spares | None = None) -> Setting:
    """Two or three sites, one or two models, one or two metros."""
    sites = draw(st.sampled_from((("a", "b"), ("a", "b", "c"))))
    models = draw(st.sampled_from((("m",), ("m", "n"))))
    metros = draw(st.sampled_from((("here",), ("here", "there"))))
    options = [draw(options_at(s, m)) for s, m in itertools.product(sites, models)]
    if draw(st.booleans()):
        options.append(draw(options_at("a", "m")))
    classes = []
    for model, metro in itertools.product(models, metros):
        low = draw(st.integers(0, 15))
        classes.append(
            wanted(
                halves(low, max(low, draw(st.integers(1, 25)))),
                model=model,
                metro=metro,
                sites=sites if draw(st.integers(0, 3)) else sites[:1],
                carbon_limit_kg_per_kwh=draw(st.sampled_from((None, None, None, 0.2))),
            )
        )
    pools = [(s, p) for s in sites for p in ("pool", "other")]
    rtt = {
        (metro, s): draw(st.sampled_from((NEAR_MS, NEAR_MS, NEAR_MS, FAR_MS)))
        for metro in metros
        for s in sites
    }
    rented = Group(name="rented", pools=tuple(pools[:2]), accelerators=draw(st.integers(6, 16)))
    return setting(
        options,
        classes,
        contracts={s: draw(contracts()) for s in sites},
        accelerators={pool: draw(st.integers(2, 12)) for pool in pools},
        node_accelerators={pool: draw(st.sampled_from((1, 2, 4))) for pool in pools},
        rtt_ms=rtt,
        active_kw={"a": 6.0} if draw(st.booleans()) else {},
        cooling_kw={"b": 6.0} if draw(st.booleans()) else {},
        groups=(rented,) if draw(st.booleans()) else (),
        min_sites={"m": 2} if draw(st.booleans()) else {},
        spares=draw(st.sampled_from(Spares)) if spares is None else spares,
        hourly=draw(st.booleans()),
        carbon_price=draw(st.sampled_from((0.0, 0.2))),
        carbon_cap_kg=draw(st.sampled_from((None, None, None, 20.0))),
    )


def with_changes(base: Setting, **changes) -> Setting:
    return replace(base, **changes)
