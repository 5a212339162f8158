"""Which site and replica takes a request: the one policy of the gateway and of a twin."""

from neocloud.routing.policy import candidates, choose
from neocloud.routing.records import Candidate, Choice, NoReplica, ReplicaState, RouteRequest

__all__ = [
    "Candidate",
    "Choice",
    "NoReplica",
    "ReplicaState",
    "RouteRequest",
    "candidates",
    "choose",
]
