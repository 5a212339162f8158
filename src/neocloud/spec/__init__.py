"""The cloud file: `cloud.yaml` to a checked, frozen `Cloud`, or to all its mistakes at once."""

from neocloud.spec.fields import Described, described
from neocloud.spec.load import load_cloud, parse_cloud
from neocloud.spec.problems import CODES, Code, Problem, SpecError
from neocloud.spec.records import (
    Cloud,
    Demand,
    Finance,
    FixedLengths,
    Gateway,
    Model,
    Objective,
    Planning,
    Tenant,
    TokenPrices,
)
from neocloud.spec.schema import cloud_schema
from neocloud.spec.sites import Pool, PowerContract, Site
from neocloud.spec.summary import Summary, Validation, summarise

__all__ = [
    "CODES",
    "Cloud",
    "Code",
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
    "Summary",
    "Tenant",
    "TokenPrices",
    "Validation",
    "cloud_schema",
    "described",
    "load_cloud",
    "parse_cloud",
    "summarise",
]
