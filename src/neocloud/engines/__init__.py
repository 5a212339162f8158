"""Engines behind the gateway: where they answer, how they are, and the emulated ones' process."""

from neocloud.engines.endpoint import Endpoint, TokenPrice, endpoint_of_url
from neocloud.engines.errors import EngineAnswerError, EngineStartError
from neocloud.engines.kinds import APIS, KINDS, Manners
from neocloud.engines.metrics import EngineMetrics, parse_metrics
from neocloud.engines.probe import (
    MetricsReader,
    Readiness,
    is_healthy,
    list_models,
    readiness,
    scrape,
)
from neocloud.engines.supervisor import EmulatedEngines

__all__ = [
    "APIS",
    "KINDS",
    "EmulatedEngines",
    "Endpoint",
    "EngineAnswerError",
    "EngineMetrics",
    "EngineStartError",
    "Manners",
    "MetricsReader",
    "Readiness",
    "TokenPrice",
    "endpoint_of_url",
    "is_healthy",
    "list_models",
    "parse_metrics",
    "readiness",
    "scrape",
]
