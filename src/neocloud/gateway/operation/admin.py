"""The operator's API: replicas, limits, keys, usage, reload. JSON, on an address of its own."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

import msgspec

from neocloud import __version__
from neocloud.gateway.apis.refusals import JSON, METRICS
from neocloud.gateway.observability.exposition import joined
from neocloud.gateway.operation.admin_error import AdminError
from neocloud.gateway.operation.admin_keys import AdminKeys
from neocloud.gateway.operation.operations import Operations, Reloaded
from neocloud.gateway.operation.tls import renew, tls_context
from neocloud.gateway.settings import Management, Settings, SettingsError, UsageQuery
from neocloud.ledger import SCHEMA, LedgerError
from neocloud.units import TimeError, format_utc, parse_period
from neocloud.wire import Exchange, Headers, Limits, Lines, Server, header_lines, serve_on

log = logging.getLogger(__name__)

_LIMITS = Limits(max_body_bytes=64 * 1024, max_connections=64, max_pipelined=1)
_BEARER = Lines(JSON + header_lines(((b"www-authenticate", b"Bearer"),)))
_NO_STORE = Lines(JSON + header_lines(((b"cache-control", b"no-store"),)))

Answer = Callable[["Call"], Awaitable[object]]


class Call(msgspec.Struct, frozen=True):
    """One call: the part of the path that names something, the query, the body."""

    name: str
    query: dict[str, str]
    body: bytes


class Metrics(msgspec.Struct, frozen=True):
    """A page of Prometheus's text format."""

    text: bytes


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What runs here."""

    version: str
    ledger_schema: str
    started: str
    workers: int


class Admin:
    """Answers the operator.

    Args:
        operations: the gateway.
        management: the totals, and the token that is asked for.
        keys: keys of the tenants.
        current: settings that hold.
    """

    def __init__(
        self,
        operations: Operations,
        management: Management,
        keys: AdminKeys,
        current: Callable[[], Settings],
    ) -> None:
        self._operations = operations
        self._management = management
        self._current = current
        self._token = b""
        self._context: ssl.SSLContext | None = None
        self._started = format_utc(time.time_ns())
        self._summing = asyncio.Lock()
        self._pending: set[asyncio.Task[None]] = set()
        self._server: Server | None = None
        self._pages: dict[tuple[str, str], Answer] = {
            ("GET", "version"): self._version,
            ("GET", "replicas"): self._replicas,
            ("POST", "replicas/*/drain"): lambda call: self._drain(call, drained=True),
            ("POST", "replicas/*/undrain"): lambda call: self._drain(call, drained=False),
            ("GET", "tenants"): self._tenants,
            ("GET", "usage"): self._usage,
            ("GET", "metrics"): self._metrics,
            ("POST", "reload"): self._reload,
            ("GET", "keys"): lambda _: keys.listed(),
            ("POST", "keys"): lambda call: keys.create(call.body),
            ("POST", "keys/*/rotate"): lambda call: keys.rotate(call.name, call.body),
            ("POST", "keys/*/revoke"): lambda call: keys.revoke(call.name),
        }

    async def reload(self) -> Reloaded:
        """Let hold what the files say now, token and certificate of this API included.

        Raises:
            SettingsError: they cannot hold; nothing has changed.
        """
        token = await self._token_now()
        came = await self._operations.reload()
        self._token = token
        files = self._current().tls
        if self._context is not None and files is not None:
            renew(self._context, files)
        return came

    async def listen(self, bound: socket.socket) -> None:
        """Answer on a socket, which is this API's own.

        Raises:
            SettingsError: there is no token, or the certificate cannot be used.
        """
        self._token = await self._token_now()
        files = self._current().tls
        self._context = None if files is None else tls_context(files)
        self._server = await serve_on(self.handle, bound, _LIMITS, _refusal, tls=self._context)

    async def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            await self._server.close_gracefully(2.0)

    def handle(self, exchange: Exchange) -> None:
        """Take one call."""
        task = asyncio.get_running_loop().create_task(self._answer(exchange))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _answer(self, exchange: Exchange) -> None:
        try:
            self._check(exchange)
            answer, call = self._found(exchange)
            told = await answer(call)
        except AdminError as error:
            lines = _BEARER if error.status == 401 else JSON
            if error.allow:
                lines = Lines(lines + header_lines(((b"allow", error.allow.encode()),)))
            exchange.respond(error.status, lines, _error(error.code, str(error)))
        except LedgerError as error:
            exchange.respond(503, JSON, _error("ledger", str(error)))
        except Exception:  # a mistake of ours must not end the gateway
            log.exception("the admin API failed at %s", exchange.path)
            exchange.respond(500, JSON, _error("internal_error", "internal error"))
        else:
            if isinstance(told, Metrics):
                exchange.respond(200, METRICS, told.text)
            else:
                body = told if isinstance(told, bytes) else msgspec.json.encode(told)
                exchange.respond(200, _NO_STORE, body)

    def _check(self, exchange: Exchange) -> None:
        """Refuse whoever has not the token; how long that takes says nothing about it."""
        scheme, _, presented = exchange.headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(
            _digest(presented.strip()), self._token
        ):
            raise AdminError(401, "unauthorized", "send the token as `Authorization: Bearer TOKEN`")

    def _found(self, exchange: Exchange) -> tuple[Answer, Call]:
        path = exchange.path.removeprefix("/admin/")
        if path == exchange.path:
            raise AdminError(404, "not_found", "there is nothing here; all is under /admin/")
        parts = path.split("/")
        name = ""
        if len(parts) == 3:
            name, parts[1] = unquote(parts[1]), "*"
        page = "/".join(parts)
        answer = self._pages.get((exchange.method, page))
        if answer is None:
            others = {method for method, each in self._pages if each == page}
            if others:
                wanted = " or ".join(sorted(others))
                allow = ", ".join(sorted(others))
                raise AdminError(405, "method_not_allowed", f"use {wanted} here", allow=allow)
            raise AdminError(404, "not_found", f"there is nothing at {exchange.path[:200]}")
        return answer, Call(name, dict(parse_qsl(exchange.query)), exchange.body)

    async def _version(self, call: Call) -> Version:
        del call
        return Version(
            version=__version__,
            ledger_schema=SCHEMA,
            started=self._started,
            workers=self._current().workers,
        )

    async def _replicas(self, call: Call) -> object:
        del call
        return await self._operations.replicas()

    async def _metrics(self, call: Call) -> Metrics:
        del call
        return Metrics(joined(await self._operations.metrics()))

    async def _drain(self, call: Call, *, drained: bool) -> object:
        if not await self._operations.drain(call.name, drained=drained):
            raise AdminError(404, "no_replica", f"there is no replica {call.name[:200]!r}")
        found = await self._operations.replicas()
        return next(replica for replica in found if replica.replica == call.name)

    async def _tenants(self, call: Call) -> object:
        del call
        return await self._operations.tenants()

    async def _reload(self, call: Call) -> object:
        del call
        try:
            return await self.reload()
        except SettingsError as error:
            raise AdminError(422, "not_reloaded", str(error)) from None

    async def _token_now(self) -> bytes:
        token = await asyncio.to_thread(self._management.token)
        if not token:
            raise SettingsError(
                "the admin API needs a token: set NEOCLOUD_ADMIN_TOKEN, or "
                "NEOCLOUD_ADMIN_TOKEN_FILE to a file that holds it"
            )
        return _digest(token.encode())

    async def _usage(self, call: Call) -> bytes:
        """Totals: they are summed one at a time, in a thread."""
        query = call.query
        try:
            wanted = UsageQuery(
                tenant=query.get("tenant"),
                period=parse_period(query["period"]) if "period" in query else None,
                by=tuple(name for name in query.get("by", "").split(",") if name),
            )
            async with self._summing:
                return await asyncio.to_thread(self._management.usage, wanted)
        except (SettingsError, TimeError) as error:
            raise AdminError(400, "bad_request", str(error)) from None


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _error(code: str, message: str) -> bytes:
    return msgspec.json.encode({"error": {"code": code, "message": message}})


def _refusal(status: int, reason: str, path: str) -> tuple[Headers, bytes]:
    del path
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    return JSON, _error(code, reason)
