"""The front door: who calls, whether they may, and one flight for each request let in."""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter
from collections.abc import Callable

from neocloud.gateway.answers import JSON, TEXT, ApiError, model_list
from neocloud.gateway.chat import parse_chat
from neocloud.gateway.fleet import Backend, Fleet
from neocloud.gateway.flight import Flight
from neocloud.gateway.page import metrics_page
from neocloud.gateway.rules import Rules, TenantRule
from neocloud.ledger import Admission, ApiKey, KeyRing, Ledger, UsageEvent
from neocloud.routing import NoReplica, RouteRequest, choose
from neocloud.units import new_request_id
from neocloud.wire import Exchange, Header, Lines, header_lines

METRO_HEADER = b"x-neocloud-metro"
_MAX_METROS = 4096


class Gateway:
    """Answers requests; knows nothing of sockets and processes.

    Attributes:
        rules: what the cloud file says.
        fleet: the replicas.
        ledger: where usage goes.
        keys: who may call; replaced when the key file changes.
        draining: True once it shuts down.
    """

    def __init__(self, rules: Rules, fleet: Fleet, ledger: Ledger, keys: KeyRing) -> None:
        self.rules = rules
        self.fleet = fleet
        self.ledger = ledger
        self.keys = keys
        self.draining = False
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.tokens: Counter[tuple[str, str, str]] = Counter()
        self.refused: Counter[int] = Counter()
        # Request ids must not collide; they are no secret, and the system's entropy is slow.
        self._chance = random.Random(secrets.randbits(256))  # noqa: S311
        self._round_trips: dict[str, dict[str, float]] = {}
        self._headers: dict[str, Lines] = {}
        self._routes: dict[tuple[str, str], Callable[[Exchange], None]] = {
            ("POST", "/v1/chat/completions"): self._chat,
            ("GET", "/v1/models"): self._models,
            ("GET", "/healthz"): self._health,
            ("GET", "/readyz"): self._ready,
            ("GET", "/metrics"): self._metrics,
        }

    def handle(self, exchange: Exchange) -> None:
        """Take one request."""
        route = self._routes.get((exchange.method, exchange.path))
        try:
            if route is None:
                raise self._no_route(exchange)
            route(exchange)
        except ApiError as error:
            self.refused[error.status] += 1
            headers: tuple[Header, ...] = ((b"content-type", b"application/json"),)
            if error.status == 401:
                headers = (*headers, (b"www-authenticate", b"Bearer"))
            elif error.status == 503:
                headers = (*headers, (b"retry-after", b"1"))
            exchange.respond(error.status, headers, error.body())

    def settle(self, event: UsageEvent, then: Callable[[], None]) -> None:
        """Count a usage event and write it."""
        self.requests[event.model, event.tenant, event.status] += 1
        self.tokens[event.model, event.tenant, "input"] += event.input_tokens
        self.tokens[event.model, event.tenant, "cached_input"] += event.cached_tokens
        self.tokens[event.model, event.tenant, "output"] += event.output_tokens
        self.ledger.settle(event, then)

    def upstream_headers(self, backend: Backend) -> Lines:
        """Header fields that a replica is sent; the client's own key never leaves the gateway."""
        lines = self._headers.get(backend.state.replica)
        if lines is None:
            fields: tuple[Header, ...] = ((b"content-type", b"application/json"),)
            if backend.endpoint.authorization:
                fields = (*fields, (b"authorization", backend.endpoint.authorization))
            lines = self._headers[backend.state.replica] = header_lines(fields)
        return lines

    @property
    def why_not_ready(self) -> str | None:
        """Why no request can be taken at present; None if all is well."""
        if self.draining:
            return "shutting down"
        if self.ledger.failure is not None:
            return "usage cannot be recorded at present, so nothing is served"
        if not any(state.healthy for state in self.fleet.states):
            return "no replica is healthy"
        return None

    # routes

    def _chat(self, exchange: Exchange) -> None:
        key, tenant = self._caller(exchange)
        if self.draining or self.ledger.failure is not None:
            raise ApiError(503, self.why_not_ready or "not ready", "not_ready")
        request = parse_chat(exchange.body)
        rule = self.rules.models.get(request.model)
        if rule is None or not _may_use(tenant, request.model):
            raise ApiError(404, f"there is no model {request.model}", "model_not_found")
        metro, round_trips = self._where(exchange)
        now_ns = time.time_ns()
        admission = Admission(
            request_id=new_request_id(now_ns, self._chance.getrandbits(74)),
            admitted_ns=now_ns,
            tenant=key.tenant,
            key_id=key.key_id,
            model=request.model,
            user_metro=metro,
            prompt_bytes=len(bytes(request.messages)),
            max_output_tokens=request.limit or rule.max_output_tokens or 0,
            price_version=self.rules.price_version,
        )
        route = RouteRequest(
            rtt_s_by_site=round_trips,
            allowed_sites=tenant.allowed_sites,
            ttft_budget_s=rule.ttft_budget_s,
        )
        choice = choose(self.fleet.of_model(request.model)[1], route, time.monotonic())
        if isinstance(choice, NoReplica):  # refused, not admitted: nothing was used
            raise ApiError(503, choice.reason, "no_replica")
        Flight(self, exchange, request, admission, route).begin(choice)

    def _models(self, exchange: Exchange) -> None:
        _, tenant = self._caller(exchange)
        names = [name for name in self.rules.models if _may_use(tenant, name)]
        exchange.respond(200, JSON, model_list(names))

    def _health(self, exchange: Exchange) -> None:
        exchange.respond(200, TEXT, b"ok\n")

    def _ready(self, exchange: Exchange) -> None:
        reason = self.why_not_ready
        if reason is None:
            exchange.respond(200, TEXT, b"ready\n")
        else:
            exchange.respond(503, TEXT, f"not ready: {reason}\n".encode())

    def _metrics(self, exchange: Exchange) -> None:
        exchange.respond(200, TEXT, metrics_page(self))

    # who and where

    def _caller(self, exchange: Exchange) -> tuple[ApiKey, TenantRule]:
        scheme, _, presented = exchange.headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not presented:
            raise ApiError(401, "send your key as `Authorization: Bearer KEY`", "no_key")
        key = self.keys.find(presented.strip())
        tenant = self.rules.tenants.get(key.tenant) if key is not None else None
        if key is None or tenant is None:
            raise ApiError(401, "this key is not known, or was revoked", "bad_key")
        return key, tenant

    def _where(self, exchange: Exchange) -> tuple[str, dict[str, float]]:
        told = exchange.headers.get(METRO_HEADER)
        metro = self.rules.default_metro if told is None else told.decode("ascii", "replace")
        known = self._round_trips.get(metro)
        if known is None:
            known = self.rules.round_trips(metro)
            if known is None:
                raise ApiError(
                    400, f"{METRO_HEADER.decode()}: there is no metro {metro[:64]!r}", "bad_metro"
                )
            if len(self._round_trips) < _MAX_METROS:
                self._round_trips[metro] = known
        return metro, known

    def _no_route(self, exchange: Exchange) -> ApiError:
        methods = [method for method, path in self._routes if path == exchange.path]
        if methods:
            return ApiError(405, f"use {methods[0]} here", "method_not_allowed")
        return ApiError(404, f"there is nothing at {exchange.path[:200]}", "not_found")


def _may_use(tenant: TenantRule, model: str) -> bool:
    return tenant.allowed_models is None or model in tenant.allowed_models
