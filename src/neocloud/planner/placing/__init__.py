"""Placement: how many replicas of which option stand where in each hour, and whom they serve."""

from neocloud.planner.placing.deciding import evaluate, place
from neocloud.planner.placing.shortage import shortages

__all__ = ["evaluate", "place", "shortages"]
