"""What the routing policy sees and says."""

from __future__ import annotations

import msgspec


class ReplicaState(msgspec.Struct, kw_only=True):
    """One replica as its router knows it. Mutable: the owner updates it in place.

    Attributes:
        replica: id `site/pool/model/ordinal`.
        site: site key.
        model: model key.
        healthy: False while it takes no new requests.
        in_flight: requests that this router has sent and that have not ended.
        running: requests that generate, as the engine said `age_s` ago.
        waiting: requests that wait in the engine, as it said `age_s` ago.
        kv_usage: share of its KV cache in use, as it said `age_s` ago.
        age_s: age of the three figures above.
        max_batch: sequences that may run at once.
        service_s: time that a request of mean length takes at the planned load.
        weight: share of its model's requests that the plan gives it.
        cost: cost of one request of mean length, in the cloud's currency.
    """

    replica: str
    site: str
    model: str
    healthy: bool = True
    in_flight: int = 0
    running: int = 0
    waiting: int = 0
    kv_usage: float = 0.0
    age_s: float = 0.0
    max_batch: int = 256
    service_s: float = 1.0
    weight: float = 1.0
    cost: float = 0.0


class RouteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be routed.

    Attributes:
        model: model key.
        rtt_ms_by_site: round trip of the caller to each site; a site that is missing is not
            reachable.
        allowed_sites: the tenant's hard limit; None allows all.
        excluded: replicas that were tried and failed.
        ttft_budget_s: time to first token that the model's objective allows.
    """

    model: str
    rtt_ms_by_site: dict[str, float]
    allowed_sites: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()
    ttft_budget_s: float = 1.0


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A replica that was scored, and why it scored so; lower is better."""

    index: int
    replica: str
    score: float
    rtt_s: float
    queue_s: float
    pressure: float
    cost: float


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Where the request goes: `index` into the states given, and the scored candidates."""

    index: int
    replica: str
    candidates: tuple[Candidate, ...]


class NoReplica(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing may take the request; `reason` is for the operator."""

    reason: str
