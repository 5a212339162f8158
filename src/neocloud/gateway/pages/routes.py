"""Pages beside the APIs: models, health, metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from neocloud.gateway.apis import APIS
from neocloud.gateway.apis.messages import COUNT_TOKENS, no_token_count
from neocloud.gateway.apis.refusals import JSON, METRICS, TEXT, ApiError, wrong_method
from neocloud.gateway.apis.responses import not_kept
from neocloud.gateway.observability.metrics import Measured, metrics_page
from neocloud.gateway.pages.models import model_card, model_list
from neocloud.gateway.pages.openapi import document
from neocloud.gateway.tenants.callers import Callers
from neocloud.gateway.tenants.rules import Rules, rule_of
from neocloud.wire import Exchange

log = logging.getLogger(__name__)

_MODEL = "/v1/models/"
_RESPONSE = "/v1/responses/"
_KNOWN = frozenset((*(api.path for api in APIS), "/v1/models"))


class Shown(Measured, Protocol):
    """What the pages are about; a `Gateway` is one."""

    rules: Rules
    callers: Callers

    @property
    def why_not_ready(self) -> str | None:
        """Why no request can be taken at present; None if all is well."""
        ...


class Pages:
    """What is read with GET."""

    def __init__(self, gateway: Shown) -> None:
        self._gateway = gateway
        self._pages: dict[str, Callable[[Exchange], None]] = {
            "/v1/models": self._models,
            "/healthz": self._health,
            "/readyz": self._ready,
            "/metrics": self._metrics,
            "/openapi.json": self._openapi,
        }

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them but those below a path."""
        return tuple(self._pages)

    def answer(self, exchange: Exchange) -> None:
        """Answer with the page that is asked for.

        Raises:
            ApiError: 404, there is none; 405, it is not read with GET; 401, it needs a key.
        """
        path = exchange.path
        page = self._pages.get(path)
        if page is None and path.startswith(_MODEL):
            page = self._model
        if page is None and path.startswith(_RESPONSE):
            raise not_kept(path)
        if page is None and path == COUNT_TOKENS:
            raise no_token_count()
        if page is None:
            raise ApiError(404, f"there is nothing at {path[:200]}{_base(path)}", "not_found")
        if exchange.method not in ("GET", "HEAD"):
            raise wrong_method(b"GET, HEAD")
        page(exchange)

    def _models(self, exchange: Exchange) -> None:
        gateway = self._gateway
        tenant = gateway.callers.tenant(exchange)
        names = [name for name in gateway.rules.models if tenant.may_use(name)]
        exchange.respond(200, JSON, model_list(names, gateway.rules, gateway.fleet))

    def _model(self, exchange: Exchange) -> None:
        gateway = self._gateway
        tenant = gateway.callers.tenant(exchange)
        name = exchange.path.removeprefix(_MODEL)
        rule_of(gateway.rules, name, tenant)
        exchange.respond(200, JSON, model_card(name, gateway.rules, gateway.fleet))

    def _openapi(self, exchange: Exchange) -> None:
        exchange.respond(200, JSON, document())

    def _health(self, exchange: Exchange) -> None:
        exchange.respond(200, TEXT, b"ok\n")

    def _ready(self, exchange: Exchange) -> None:
        reason = self._gateway.why_not_ready
        if reason is None:
            exchange.respond(200, TEXT, b"ready\n")
        else:
            exchange.respond(503, TEXT, f"not ready: {reason}\n".encode())

    def _metrics(self, exchange: Exchange) -> None:
        """In a thread: with many tenants it takes longer than a token may be late."""
        work = asyncio.get_running_loop().run_in_executor(None, metrics_page, self._gateway)
        work.add_done_callback(lambda done: _respond(exchange, done))


def _respond(exchange: Exchange, done: asyncio.Future[bytes]) -> None:
    if done.cancelled() or done.exception() is not None:
        log.error("the page of metrics cannot be made", exc_info=_error(done))
        exchange.respond(500, TEXT, b"the page cannot be made\n")
    else:
        exchange.respond(200, METRICS, done.result())


def _error(done: asyncio.Future[bytes]) -> BaseException | None:
    return None if done.cancelled() else done.exception()


def _base(path: str) -> str:
    """What is wrong with the base URL of a client that asks for a path; empty if not that."""
    if f"/v1{path}" in _KNOWN:
        return "; an OpenAI client's base URL ends in /v1"
    if path.startswith("/v1/") and path.removeprefix("/v1") in _KNOWN:
        return "; /v1 stands there twice: an Anthropic client's base URL ends before it"
    return ""
