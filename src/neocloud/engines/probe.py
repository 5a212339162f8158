"""Asking an engine: which models it has, whether it takes requests, what it counts."""

from __future__ import annotations

import logging

import msgspec

from neocloud.engines.endpoint import Endpoint
from neocloud.engines.errors import EngineAnswerError
from neocloud.engines.families import Family
from neocloud.engines.kinds import KINDS, REMOTE
from neocloud.engines.metrics import EngineMetrics, family_of, parse_metrics
from neocloud.wire import Header, Pool, Response, UpstreamError, fetch

log = logging.getLogger(__name__)

# TensorRT-LLM's /metrics is JSON of its own; its Prometheus page lies elsewhere.
_METRICS_PAGES = (b"/metrics", b"/prometheus/metrics")
_MODELS = b"/v1/models"
_HEALTH = b"/health"
_NO_PAGE = (404, 405)
_NO_HEALTH_PAGE = (401, 403, *_NO_PAGE)


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an engine takes requests: only if all of it is so.

    No single page says it. vLLM's `/health` goes on answering 200 while it drains and refuses new
    requests, and a server may be healthy without the model that it is asked for.

    Attributes:
        running: its process runs, or is somebody else's.
        healthy: its own page says that it serves.
        listed: it lists the model.
        draining: it was told to end.
    """

    running: bool
    healthy: bool
    listed: bool
    draining: bool = False

    @property
    def ready(self) -> bool:
        """True if it takes requests."""
        return not self.reason

    @property
    def reason(self) -> str:
        """Why it takes none; empty if it does."""
        if self.draining:
            return "draining"
        if not self.running:
            return "not running"
        if not self.healthy:
            return "not healthy"
        return "" if self.listed else "does not list the model"


async def list_models(
    pool: Pool, endpoint: Endpoint, *, timeout_s: float = 10.0
) -> tuple[str, ...]:
    """Names of the models that the engine serves.

    Raises:
        UpstreamError: no whole answer came within `timeout_s`.
        EngineAnswerError: the answer is no list of models; the message says what came.
    """
    answer = await _get(pool, endpoint, _MODELS, timeout_s)
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

    SGLang is asked at `/ready`: its `/health` generates a token. A remote server without a health
    page is asked for its models instead.
    """
    page = KINDS[endpoint.kind].ready_page if endpoint.kind in KINDS else _HEALTH
    try:
        answer = await _get(pool, endpoint, page, timeout_s)
        if page != _HEALTH and answer.status in _NO_PAGE:  # an older release
            answer = await _get(pool, endpoint, _HEALTH, timeout_s)
        if endpoint.kind == REMOTE and answer.status in _NO_HEALTH_PAGE:
            answer = await _get(pool, endpoint, _MODELS, timeout_s)
    except UpstreamError:
        return False
    return answer.status == 200


async def readiness(
    pool: Pool,
    endpoint: Endpoint,
    *,
    running: bool = True,
    draining: bool = False,
    timeout_s: float = 5.0,
) -> Readiness:
    """Ask for all that `Readiness` takes together; what is known already is told."""
    healthy = listed = False
    if running:
        healthy = await is_healthy(pool, endpoint, timeout_s=timeout_s)
    if healthy:
        try:
            models = await list_models(pool, endpoint, timeout_s=timeout_s)
        except (UpstreamError, EngineAnswerError):
            models = ()
        listed = endpoint.model in models
    return Readiness(running=running, healthy=healthy, listed=listed, draining=draining)


class MetricsReader:
    """Reads one engine's count, scrape by scrape.

    At the first scrape that shows one, page and family of names are found and kept, so that an
    engine which tells several families is not read now by one and now by another. As long as there
    is none it is looked for again, and that is said once.

    Args:
        endpoint: whose count.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._found: tuple[bytes, Family] | None = None
        self._warned = False

    @property
    def family(self) -> str:
        """Prefix of the family that was found; empty before."""
        return self._found[1].prefix if self._found is not None else ""

    async def read(self, pool: Pool, *, timeout_s: float = 5.0) -> EngineMetrics | None:
        """The engine's count; None if it has no page of a known family, or does not answer."""
        try:
            if self._found is not None:
                page, family = self._found
                answer = await _get(pool, self._endpoint, page, timeout_s)
                if answer.status != 200:
                    return None
                metrics = parse_metrics(answer.body, family)
                if metrics is not None:
                    return metrics
                self._found = None  # another engine stands there now
            found = await _look(pool, self._endpoint, timeout_s)
        except UpstreamError:
            return None
        if found is not None:
            self._found = found.page, found.family
            return found.metrics
        if not self._warned:
            self._warned = True
            log.warning(
                "%s at %s tells no metrics that are known here: it is routed to by what the "
                "gateway itself has under way there",
                self._endpoint.replica,
                self._endpoint.address,
            )
        return None


async def scrape(pool: Pool, endpoint: Endpoint, *, timeout_s: float = 5.0) -> EngineMetrics | None:
    """Read an engine's count once; None if it tells none that is known, or does not answer."""
    try:
        found = await _look(pool, endpoint, timeout_s)
    except UpstreamError:
        return None
    return found.metrics if found is not None else None


async def metrics_family(pool: Pool, endpoint: Endpoint, *, timeout_s: float = 5.0) -> str:
    """Prefix of the family of metrics that an engine tells, such as `vllm:`; empty for none."""
    try:
        found = await _look(pool, endpoint, timeout_s)
    except UpstreamError:
        return ""
    return found.family.prefix if found is not None else ""


class _Found(msgspec.Struct, frozen=True):
    page: bytes
    family: Family
    metrics: EngineMetrics


async def _look(pool: Pool, endpoint: Endpoint, timeout_s: float) -> _Found | None:
    """The first page that holds a known family of metrics."""
    for page in _METRICS_PAGES:
        answer = await _get(pool, endpoint, page, timeout_s)
        family = family_of(answer.body) if answer.status == 200 else None
        metrics = parse_metrics(answer.body, family) if family is not None else None
        if family is not None and metrics is not None:
            return _Found(page, family, metrics)
    return None


async def _get(pool: Pool, endpoint: Endpoint, page: bytes, timeout_s: float) -> Response:
    headers: tuple[Header, ...] = ()
    if endpoint.authorization:
        headers = ((b"authorization", endpoint.authorization),)
    return await fetch(pool, b"GET", endpoint.prefix + page, headers, timeout_s=timeout_s)
