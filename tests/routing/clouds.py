"""Replicas and requests that the tests of routing share."""

from __future__ import annotations

from hypothesis import strategies as st

from neocloud.routing import (
    Choice,
    Group,
    Priority,
    ReplicaState,
    RouteRequest,
    Shares,
    SiteNow,
    choose,
)

NEAR, FAR = 0.010, 0.150
SITES = ("ashburn", "frankfurt", "tokyo")
POOLS = ("h100-sxm", "mi300x")
NOW = 1000.0


def state(site="ashburn", pool="h100-sxm", ordinal=0, model="llama", **known) -> ReplicaState:
    known.setdefault("cost", 1.0)
    return ReplicaState(
        replica=f"{site}/{pool}/{model}/{ordinal}", site=site, pool=pool, model=model, **known
    )


def request(**changes) -> RouteRequest:
    settings = {"rtt_s_by_site": {"ashburn": NEAR, "frankfurt": FAR}}
    return RouteRequest(**(settings | changes))


def chosen(states: list[ReplicaState] | Group, asked: RouteRequest, now_s: float = NOW) -> str:
    group = states if isinstance(states, Group) else Group("llama", states)
    choice = choose(group, asked, now_s)
    assert isinstance(choice, Choice), choice.reason
    assert group.states[choice.index].replica == choice.replica
    return choice.replica


def told(running: int = 0, waiting: int = 0, kv_usage: float = 0.0, age_s: float = 0.0) -> dict:
    """What `state` takes for an engine's word of others' requests, of this age at `NOW`."""
    return {
        "others": running + waiting,
        "waiting": waiting,
        "kv_usage": kv_usage,
        "told_s": NOW - age_s,
    }


@st.composite
def states(draw, model: str = "llama") -> list[ReplicaState]:
    found = []
    for ordinal in range(draw(st.integers(0, 12))):
        one = state(
            site=draw(st.sampled_from(SITES)),
            pool=draw(st.sampled_from(POOLS)),
            model=model,
            ordinal=ordinal,
            healthy=draw(st.sampled_from((True, True, True, False))),
            in_flight=draw(st.integers(0, 100)),
            waiting_tokens=draw(st.integers(0, 9000)),
            others=draw(st.integers(0, 100)),
            waiting=draw(st.sampled_from((0, 0, 20))),
            kv_usage=draw(st.floats(0.0, 1.0)),
            told_s=NOW - draw(st.sampled_from((0.0, 1.0, 9.0, float("inf")))),
            full_until_s=draw(st.sampled_from((0.0, 0.0, NOW + 1.0))),
            target_concurrency=draw(st.floats(1.0, 64.0)),
            max_occupancy=draw(st.sampled_from((1.25, float("inf")))),
            prefill_s=draw(st.floats(0.0, 1.0)),
            prefill_tokens_per_s=draw(st.sampled_from((0.0, 9e3))),
            mean_prompt_tokens=500.0,
            service_s=draw(st.floats(0.0, 9.0)),
            cost=draw(st.sampled_from((0.0, 0.5, 1.0, 3.0))),
            kwh=draw(st.sampled_from((0.0, 0.01))),
            overflow=draw(st.sampled_from((False, False, False, True))),
        )
        if draw(st.sampled_from((False, False, False, True))):
            one.breaker.opened = 1
            one.breaker.until_s = NOW + draw(st.sampled_from((-1.0, 1.0)))
        found.append(one)
    return found


sites_now = st.dictionaries(
    st.sampled_from(SITES),
    st.builds(
        SiteNow,
        surcharge_per_kwh=st.sampled_from((-0.1, 0.0, 0.5)),
        grams_per_kwh=st.sampled_from((None, 50.0, 400.0)),
    ),
)


@st.composite
def groups(draw) -> Group:
    return Group("llama", draw(states()), draw(sites_now), draw(st.sampled_from((0.0, 100.0))))


@st.composite
def requests(draw) -> RouteRequest:
    tried = draw(st.frozensets(st.integers(0, 11), max_size=3))
    places = st.dictionaries(
        st.sampled_from([f"{s}/{p}" for s in SITES for p in POOLS]), st.floats(0.1, 9.0)
    )
    return RouteRequest(
        rtt_s_by_site=draw(st.dictionaries(st.sampled_from(SITES), st.floats(0.0, 0.4))),
        allowed_sites=draw(st.none() | st.frozensets(st.sampled_from(SITES))),
        carbon_limit_g_per_kwh=draw(st.sampled_from((None, None, 40.0, 100.0, 900.0))),
        may_overflow=draw(st.booleans()),
        excluded=frozenset(f"{s}/{p}/llama/{i}" for i in tried for s in SITES for p in POOLS),
        ttft_budget_s=draw(st.floats(0.05, 3.0)),
        unknown_rtt_s=draw(st.floats(0.0, 0.3)),
        plan=draw(st.none() | st.builds(Shares.of, places)),
        priority=draw(st.sampled_from(Priority)),
        prefix=tuple(draw(st.lists(st.integers(0, 2**32 - 1), max_size=8))),
        draw=draw(st.integers(0, 2**32 - 1)),
        prompt_tokens=draw(st.sampled_from((0, 100, 5000))),
    )
