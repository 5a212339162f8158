"""Engines behind the gateway: where they answer, how they are, and the emulated ones' process."""

from neocloud.engines.endpoint import Endpoint, TokenPrice, endpoint_of_url
from neocloud.engines.errors import EngineAnswerError, EngineStartError, ModelFileError
from neocloud.engines.kinds import APIS, KINDS, Manners
from neocloud.engines.metrics import EngineMetrics, parse_metrics
from neocloud.engines.probe import (
    MetricsReader,
    Readiness,
    is_healthy,
    list_models,
    metrics_family,
    readiness,
    scrape,
)
from neocloud.engines.running import EngineStart, StartedEngine, free_port, started
from neocloud.engines.supervisor import EmulatedEngines

__all__ = [
    "APIS",
    "KINDS",
    "EmulatedEngines",
    "Endpoint",
    "EngineAnswerError",
    "EngineMetrics",
    "EngineStart",
    "EngineStartError",
    "Manners",
    "MetricsReader",
    "ModelFileError",
    "Readiness",
    "StartedEngine",
    "TokenPrice",
    "endpoint_of_url",
    "free_port",
    "is_healthy",
    "list_models",
    "metrics_family",
    "parse_metrics",
    "readiness",
    "scrape",
    "started",
]
