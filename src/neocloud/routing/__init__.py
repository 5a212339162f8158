"""Which site and replica takes a request: the one policy of the gateway and of a twin."""

from neocloud.routing.explain import Candidate, Explanation, LeftOut, explain
from neocloud.routing.fair_queue import FairQueue
from neocloud.routing.group import Group, groups_of
from neocloud.routing.policy import capacity, choose
from neocloud.routing.prefix import prefix_hashes
from neocloud.routing.records import (
    Breaker,
    Choice,
    NoReplica,
    Priority,
    ReplicaState,
    RouteRequest,
    Shares,
    SiteNow,
)
from neocloud.routing.retries import RetryBudget

__all__ = [
    "Breaker",
    "Candidate",
    "Choice",
    "Explanation",
    "FairQueue",
    "Group",
    "LeftOut",
    "NoReplica",
    "Priority",
    "ReplicaState",
    "RetryBudget",
    "RouteRequest",
    "Shares",
    "SiteNow",
    "capacity",
    "choose",
    "explain",
    "groups_of",
    "prefix_hashes",
]
