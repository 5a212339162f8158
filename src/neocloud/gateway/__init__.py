"""The HTTP front door: keys, routing, streaming, failover, and metering that comes first.

`run` brings a whole cloud up; `Gateway` is its request path, `Flight` one request on it.
"""

from neocloud.gateway.fleet.remotes import Remote
from neocloud.gateway.fleet.replicas import Backend, Fleet, fleet_of_endpoints, fleet_of_plan
from neocloud.gateway.metering.meter import Meter
from neocloud.gateway.metering.observing import Observing, observing_of
from neocloud.gateway.observability.exposition import joined
from neocloud.gateway.observability.logs import LogFormat, configure
from neocloud.gateway.operation.door import check_doors
from neocloud.gateway.requests.gateway import Gateway
from neocloud.gateway.settings import (
    Doors,
    Emulation,
    Listen,
    Management,
    Settings,
    SettingsError,
    TlsFiles,
    Up,
    UsageQuery,
)
from neocloud.gateway.tenants.callers import METRO_HEADER, Callers, Ranges
from neocloud.gateway.tenants.distances import REMOTE_SITE
from neocloud.gateway.tenants.rules import (
    DEFAULT_TENANT,
    ModelRule,
    Rules,
    TenantRule,
    rules_of_cloud,
    rules_without_file,
)
from neocloud.gateway.tenants.secret import cache_secret
from neocloud.gateway.workers.hand import WorkerError
from neocloud.gateway.workers.run import run

__all__ = [
    "DEFAULT_TENANT",
    "METRO_HEADER",
    "REMOTE_SITE",
    "Backend",
    "Callers",
    "Doors",
    "Emulation",
    "Fleet",
    "Gateway",
    "Listen",
    "LogFormat",
    "Management",
    "Meter",
    "ModelRule",
    "Observing",
    "Ranges",
    "Remote",
    "Rules",
    "Settings",
    "SettingsError",
    "TenantRule",
    "TlsFiles",
    "Up",
    "UsageQuery",
    "WorkerError",
    "cache_secret",
    "check_doors",
    "configure",
    "fleet_of_endpoints",
    "fleet_of_plan",
    "joined",
    "observing_of",
    "rules_of_cloud",
    "rules_without_file",
    "run",
]
