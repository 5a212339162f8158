"""The HTTP front door: keys, routing, streaming, failover, and metering that comes first.

`run` brings a whole cloud up; `Gateway` is its request path, `Flight` one request on it.
"""

from neocloud.gateway.fleet import Backend, Fleet, fleet_of_endpoints, fleet_of_plan
from neocloud.gateway.gateway import METRO_HEADER, Gateway
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

__all__ = [
    "DEFAULT_TENANT",
    "METRO_HEADER",
    "Backend",
    "Emulation",
    "Fleet",
    "Gateway",
    "Meter",
    "ModelRule",
    "Rules",
    "Settings",
    "TenantRule",
    "Up",
    "fleet_of_endpoints",
    "fleet_of_plan",
    "rules_of_cloud",
    "rules_without_file",
    "run",
]
