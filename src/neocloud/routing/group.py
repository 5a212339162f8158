"""All replicas of one model, laid out once per change of the fleet so that a choice builds nothing.

What changes with each request (`in_flight`, `waiting_tokens`) is read when choosing. What changes
with probes and time is looked at every `REFRESH_S`, and at once after `Group.changed`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from zlib import crc32

from neocloud.routing import breaker, kernels
from neocloud.routing.records import NEVER_S, ReplicaState, Shares, SiteNow

REFRESH_S = 0.1
MAX_EJECTED = 0.5
"""Share of a model's healthy replicas that breakers may take out; beyond it all are used. A fault
that all of them show is more likely in what they are sent than in them."""
FAVOURITES = 3
"""Homes of a prefix in order: the next takes over where one has left or is overloaded."""
FIRST_FULL_S = 0.25
MAX_FULL_S = 5.0
"""Bounds of the time for which a replica that said it was full is let alone. Assumption."""

Member = tuple[ReplicaState, float, float, float, int]
"""A replica that may be sent requests: state, requests unseen by us, places, backlog, index."""

NO_SITE = SiteNow()


class PoolOfModel:
    """Replicas that are alike: one site, one pool, one model, one cost.

    Attributes:
        site: site key.
        place: `site/pool`.
        states: all of them.
        members: those that may be sent requests, as of the last refresh.
        by_slot: the same in the order of `states`, None for those that may not.
        price: of a request now, see `kernels.price_of`.
        grams_per_kwh: of the site now; infinite where unknown.
        max_occupancy: at which it is full, for normal priority.
    """

    __slots__ = (
        "_hashes", "_homes", "by_slot", "grams_per_kwh", "indexes", "max_occupancy", "members",
        "overflow", "place", "price", "site", "states",
    )  # fmt: skip

    def __init__(self, members: Sequence[tuple[int, ReplicaState]]) -> None:
        self.indexes = tuple(index for index, _ in members)
        self.states = tuple(state for _, state in members)
        first = self.states[0]
        self.site = first.site
        self.place = f"{first.site}/{first.pool}"
        self.overflow = first.overflow
        self.max_occupancy = first.max_occupancy
        self.price = first.cost
        self.grams_per_kwh = float("inf")
        self.members: list[Member] = []
        self.by_slot: list[Member | None] = [None] * len(self.states)
        self._hashes = tuple(crc32(state.replica.encode()) for state in self.states)
        self._homes: list[tuple[int, ...] | None] = [None] * kernels.BUCKETS

    def homes(self, drawn: int) -> tuple[int, ...]:
        """Slots that a prefix belongs to, the first before the next.

        A pure function of `drawn` and the ids: another gateway finds the same, and where a replica
        comes or goes only what it is home to moves. Kept per bucket, so it does not grow.
        """
        bucket = drawn % kernels.BUCKETS
        found = self._homes[bucket]
        if found is None:
            ranks = [(-kernels.rank(bucket, h), slot) for slot, h in enumerate(self._hashes)]
            found = tuple(slot for _, slot in sorted(ranks)[:FAVOURITES])
            self._homes[bucket] = found
        return found

    def refresh(self, now_s: float, site: SiteNow, carbon_per_gram: float, *, panic: bool) -> None:
        """Look at everything but what changes with each request."""
        first = self.states[0]
        grams = site.grams_per_kwh
        self.grams_per_kwh = float("inf") if grams is None else grams
        self.price = kernels.price_of(
            first.cost, first.kwh, site.surcharge_per_kwh, grams or 0.0, carbon_per_gram
        )
        self.max_occupancy = first.max_occupancy
        self.members = []
        for slot, state in enumerate(self.states):
            member = None
            if takes(state, now_s, panic=panic) is None:
                fresh = kernels.freshness(now_s - state.told_s)
                target = state.target_concurrency
                places = target * kernels.ramp(now_s - state.breaker.recovered_s)
                besides = kernels.unseen(
                    state.in_flight, state.others, state.kv_usage, fresh, target
                )
                member = (
                    state,
                    besides,
                    places,
                    fresh * state.waiting / target,
                    self.indexes[slot],
                )
                self.members.append(member)
            self.by_slot[slot] = member


def takes(state: ReplicaState, now_s: float, *, panic: bool) -> str | None:
    """None if it may be sent requests, else the rule that forbids it."""
    if not state.healthy:
        return "unhealthy"
    if now_s < state.full_until_s:
        return "said that it is full"
    if not panic and not breaker.admits(state.breaker, now_s):
        return "ejected after failures"
    return None


class Group:
    """All replicas of one model. `now_s` of all its functions never goes back.

    Attributes:
        model: model key.
        states: as given; a `Choice.index` points into it.
        own: pools with replicas that may be sent requests, the cheapest first.
        overflow: the same of somebody else's replicas.
        due_s: when everything is looked at again.
    """

    __slots__ = (
        "_carbon_per_gram", "_pools", "_sites", "due_s", "even", "model", "overflow", "own",
        "panic", "states",
    )  # fmt: skip

    def __init__(
        self,
        model: str,
        states: Sequence[ReplicaState],
        sites: Mapping[str, SiteNow] | None = None,
        carbon_price_per_tonne: float = 0.0,
    ) -> None:
        """Lay out replicas, all of `model`.

        Args:
            model: model key.
            states: the owner goes on to update them in place.
            sites: what power is like now, by site; the owner's own mapping, looked at as it stands
                at each refresh.
            carbon_price_per_tonne: what a tonne of CO2 counts, in the currency of `cost`.
        """
        self.model = model
        self.states = tuple(states)
        self._sites = sites if sites is not None else {}
        self._carbon_per_gram = carbon_price_per_tonne / 1e6
        alike: dict[tuple[object, ...], list[tuple[int, ReplicaState]]] = {}
        for index, state in enumerate(self.states):
            assert state.model == model, f"{state.replica} does not serve {model}"
            key = (state.site, state.pool, state.overflow, state.cost, state.kwh)
            alike.setdefault((*key, state.max_occupancy), []).append((index, state))
        self._pools = tuple(PoolOfModel(members) for members in alike.values())
        self.own: list[PoolOfModel] = []
        self.overflow: list[PoolOfModel] = []
        self.panic = False
        self.due_s = NEVER_S
        weights: dict[str, float] = {}
        for pool in self._pools:
            if not pool.overflow:
                places = sum(state.target_concurrency for state in pool.states)
                weights[pool.place] = weights.get(pool.place, 0.0) + places
        self.even = Shares.of(weights)
        """Each place's share of all planned concurrency: who is home to a prefix without a plan."""

    @property
    def pools(self) -> tuple[PoolOfModel, ...]:
        """All of them, in the order of the states."""
        return self._pools

    def refresh(self, now_s: float) -> None:
        """Look at all states and sites."""
        healthy = [state for state in self.states if state.healthy]
        ejected = sum(1 for state in healthy if state.breaker.opened)
        self.panic = ejected > MAX_EJECTED * len(healthy)
        for pool in self._pools:
            site = self._sites.get(pool.site, NO_SITE)
            pool.refresh(now_s, site, self._carbon_per_gram, panic=self.panic)
        usable = sorted((p for p in self._pools if p.members), key=lambda pool: pool.price)
        self.own = [pool for pool in usable if not pool.overflow]
        self.overflow = [pool for pool in usable if pool.overflow]
        self.due_s = now_s + REFRESH_S

    def changed(self) -> None:
        """A state was changed that the next choice must heed: `healthy`, for one."""
        self.due_s = NEVER_S

    # what happens to a request; `sent_s` is the `now_s` of its `enter`

    def enter(self, state: ReplicaState, now_s: float, prompt_tokens: int = 0) -> None:
        """A request is sent."""
        state.in_flight += 1
        state.waiting_tokens += prompt_tokens
        if state.breaker.opened and breaker.sent(state.breaker, now_s):
            self.changed()  # the next one goes elsewhere until this one is answered

    def answered(
        self, state: ReplicaState, sent_s: float, now_s: float, prompt_tokens: int = 0
    ) -> None:
        """Its answer begins, a client's own 4xx too; the prompt tokens given to `enter` are done.

        Whoever gives `prompt_tokens` here gives none to `leave`.
        """
        state.waiting_tokens -= prompt_tokens
        known = state.breaker
        if (known.opened or known.failures) and breaker.answered(known, sent_s, now_s):
            self.changed()

    def failed(self, state: ReplicaState, sent_s: float, now_s: float) -> None:
        """It was refused, lost, timed out, or answered by a 5xx other than 503."""
        if breaker.failed(state.breaker, state.replica, sent_s, now_s):
            self.changed()

    def full(
        self, state: ReplicaState, sent_s: float, now_s: float, retry_after_s: float = 0.0
    ) -> None:
        """It was answered by 429 or 503: the replica lives and has no place."""
        breaker.answered(state.breaker, sent_s, now_s)
        state.full_until_s = now_s + min(MAX_FULL_S, max(FIRST_FULL_S, retry_after_s))
        self.changed()

    def leave(self, state: ReplicaState, sent_s: float, prompt_tokens: int = 0) -> None:
        """It is over, however it ended; call it once for each `enter`, after the rest."""
        state.in_flight -= 1
        state.waiting_tokens -= prompt_tokens
        if state.breaker.probe_s is not None and breaker.left(state.breaker, sent_s):
            self.changed()

    def __iter__(self) -> Iterator[ReplicaState]:
        return iter(self.states)

    def __len__(self) -> int:
        return len(self.states)


def groups_of(
    states: Sequence[ReplicaState],
    sites: Mapping[str, SiteNow] | None = None,
    carbon_price_per_tonne: float = 0.0,
) -> dict[str, Group]:
    """The groups of a fleet by model, as `Group` takes them; states keep their order."""
    by_model: dict[str, list[ReplicaState]] = {}
    for state in states:
        by_model.setdefault(state.model, []).append(state)
    return {
        model: Group(model, members, sites, carbon_price_per_tonne)
        for model, members in by_model.items()
    }
