"""The cloud file: `cloud.yaml` to a checked, frozen `Cloud`, or to all its mistakes at once."""

from neocloud.spec.fields import Described, described
from neocloud.spec.load import load_cloud, parse_cloud
from neocloud.spec.problems import CODES, Problem, SpecError
from neocloud.spec.records import (
    Cloud,
    Demand,
    Finance,
    FixedLengths,
    Gateway,
    Model,
    Objective,
    Planning,
    Pool,
    PowerContract,
    Site,
    Tenant,
    TokenPrices,
)

__all__ = [
    "CODES",
    "Cloud",
    "Demand",
    "Described",
    "Finance",
    "FixedLengths",
    "Gateway",
    "Model",
    "Objective",
    "Planning",
    "Pool",
    "PowerContract",
    "Problem",
    "Site",
    "SpecError",
    "Tenant",
    "TokenPrices",
    "described",
    "load_cloud",
    "parse_cloud",
]
