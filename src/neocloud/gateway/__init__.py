"""The HTTP front door: keys, routing, streaming, failover, and metering that comes first.

`run` brings a whole cloud up; `Gateway` is its request path, `Flight` one request on it.
"""

from neocloud.gateway.callers import METRO_HEADER, Callers, Ranges
from neocloud.gateway.fleet import Backend, Fleet, fleet_of_endpoints, fleet_of_plan
from neocloud.gateway.gateway import Gateway
from neocloud.gateway.meter import Meter
from neocloud.gateway.rules import (
    DEFAULT_TENANT,
    ModelRule,
    Rules,
    TenantRule,
    rules_of_cloud,
    rules_without_file,
)
from neocloud.gateway.run import Emulation, Settings, Up, run
from neocloud.gateway.secret import cache_secret

__all__ = [
    "DEFAULT_TENANT",
    "METRO_HEADER",
    "Backend",
    "Callers",
    "Emulation",
    "Fleet",
    "Gateway",
    "Meter",
    "ModelRule",
    "Ranges",
    "Rules",
    "Settings",
    "TenantRule",
    "Up",
    "cache_secret",
    "fleet_of_endpoints",
    "fleet_of_plan",
    "rules_of_cloud",
    "rules_without_file",
    "run",
]
