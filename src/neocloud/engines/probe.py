"""Asking an engine: which models it has, whether it is up, what it counts."""

from __future__ import annotations

import msgspec

from neocloud.engines.endpoint import Endpoint
from neocloud.engines.errors import EngineAnswerError
from neocloud.engines.kinds import REMOTE
from neocloud.engines.metrics import EngineMetrics, parse_metrics
from neocloud.wire import Header, Pool, Response, UpstreamError, fetch

# TensorRT-LLM's /metrics is JSON of its own; its Prometheus page lies elsewhere.
_METRICS_PAGES = (b"/metrics", b"/prometheus/metrics")
_NO_HEALTH_PAGE = (401, 403, 404, 405)


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


async def list_models(
    pool: Pool, endpoint: Endpoint, *, timeout_s: float = 10.0
) -> tuple[str, ...]:
    """Names of the models that the engine serves.

    Raises:
        UpstreamError: no whole answer came within `timeout_s`.
        EngineAnswerError: the answer is no list of models; the message says what came.
    """
    answer = await _get(pool, endpoint, b"/v1/models", timeout_s)
    where = f"{endpoint.address}: GET {endpoint.prefix.decode()}/v1/models"
    if answer.status in (401, 403):
        raise EngineAnswerError(f"{where} was refused with {answer.status}: check the key")
    if answer.status != 200:
        raise EngineAnswerError(
            f"{where} answered {answer.status}; give the base URL of an OpenAI-compatible server"
        )
    try:
        models = msgspec.json.decode(answer.body, type=_Models)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EngineAnswerError(f"{where} did not answer with a list of models: {error}") from None
    return tuple(model.id for model in models.data)


async def is_healthy(pool: Pool, endpoint: Endpoint, *, timeout_s: float = 5.0) -> bool:
    """True if the engine says that it serves.

    A remote server without a health page is asked for its models instead.
    """
    try:
        answer = await _get(pool, endpoint, b"/health", timeout_s)
        if endpoint.kind == REMOTE and answer.status in _NO_HEALTH_PAGE:
            answer = await _get(pool, endpoint, b"/v1/models", timeout_s)
    except UpstreamError:
        return False
    return answer.status == 200


async def scrape(pool: Pool, endpoint: Endpoint, *, timeout_s: float = 5.0) -> EngineMetrics | None:
    """The engine's own count; None if it has no page of a known family, or does not answer."""
    for page in _METRICS_PAGES:
        try:
            answer = await _get(pool, endpoint, page, timeout_s)
        except UpstreamError:
            return None
        metrics = parse_metrics(answer.body) if answer.status == 200 else None
        if metrics is not None:
            return metrics
    return None


async def _get(pool: Pool, endpoint: Endpoint, page: bytes, timeout_s: float) -> Response:
    headers: tuple[Header, ...] = ()
    if endpoint.authorization:
        headers = ((b"authorization", endpoint.authorization),)
    return await fetch(pool, b"GET", endpoint.prefix + page, headers, timeout_s=timeout_s)
