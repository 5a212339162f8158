"""Engines behind the gateway: where they answer, how they are, and the emulated ones' process."""

from neocloud.engines.endpoint import Endpoint, endpoint_of_url
from neocloud.engines.errors import EngineAnswerError, EngineStartError
from neocloud.engines.metrics import EngineMetrics, parse_metrics
from neocloud.engines.probe import is_healthy, list_models, scrape
from neocloud.engines.supervisor import EmulatedEngines

__all__ = [
    "EmulatedEngines",
    "Endpoint",
    "EngineAnswerError",
    "EngineMetrics",
    "EngineStartError",
    "endpoint_of_url",
    "is_healthy",
    "list_models",
    "parse_metrics",
    "scrape",
]
