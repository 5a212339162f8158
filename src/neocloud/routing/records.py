"""What the routing policy sees and says."""

from __future__ import annotations

import msgspec


class ReplicaState(msgspec.Struct, kw_only=True):
    """One replica as its router knows it. Mutable: the owner updates it in place.

    Attributes:
        replica: id `site/pool/model/ordinal`.
        site: site key.
        pool: pool key; replicas of one model in one pool are alike.
        model: model key.
        healthy: False while it takes no new requests.
        in_flight: requests that this router has sent and that have not ended.
        running: requests that generate, as the engine said `age_s` ago.
        waiting: requests that wait in the engine, as it said `age_s` ago.
        kv_usage: share of its KV cache in use, as it said `age_s` ago, 0 to 1.
        age_s: age of the three figures above; infinite if the engine never told.
        target_concurrency: requests inside it at the most that its plan gives it.
        prefill_s: time to first token of an idle replica.
        service_s: time a request of mean length stays at the planned load.
        cost: what one request of mean length costs there, in the cloud's currency.
    """

    replica: str
    site: str
    pool: str
    model: str
    healthy: bool = True
    in_flight: int = 0
    running: int = 0
    waiting: int = 0
    kv_usage: float = 0.0
    age_s: float = float("inf")
    target_concurrency: float = 64.0
    prefill_s: float = 0.05
    service_s: float = 2.0
    cost: float = 0.0


class RouteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be routed.

    Attributes:
        model: model key.
        rtt_s_by_site: round trip of the caller to each site, seconds; a site that is missing
            counts as `unknown_rtt_s` away.
        allowed_sites: the tenant's hard limit; None allows all.
        excluded: replicas that were tried and failed.
        ttft_budget_s: time to first token that the model's objective allows, network included.
        unknown_rtt_s: round trip assumed where none is known.
    """

    model: str
    rtt_s_by_site: dict[str, float]
    allowed_sites: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()
    ttft_budget_s: float = 1.0
    unknown_rtt_s: float = 0.0


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A pool's best replica, and why it scored so; lower is better.

    `score` = `cost` relative to the cheapest candidate + lateness + overload, see `kernels`.
    """

    replica: str
    score: float
    rtt_s: float
    queue_s: float
    occupancy: float
    cost: float


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Where the request goes: `index` into the states given."""

    index: int
    replica: str


class NoReplica(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing may take the request; `reason` says which rule left nothing."""

    reason: str
