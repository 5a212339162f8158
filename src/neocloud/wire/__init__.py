"""HTTP/1.1 over asyncio, server and client, with no meaning of its own.

Both sides work with callbacks on protocols, so that a request needs no task, and bytes pass as
they are. Who wants `await` has `fetch`.
"""

from neocloud.wire.client import Call, Client, InPieces, Pool, Receiver
from neocloud.wire.errors import UpstreamError, UpstreamFault
from neocloud.wire.exchange import Exchange
from neocloud.wire.fetch import fetch
from neocloud.wire.heads import NO_LINES, Header, Headers, Lines, header_lines
from neocloud.wire.records import Address, ClientLimits, Limits, Response, ResponseHead
from neocloud.wire.server import (
    Handler,
    Refusal,
    Server,
    bound_socket,
    serve,
    serve_on,
)

__all__ = [
    "NO_LINES",
    "Address",
    "Call",
    "Client",
    "ClientLimits",
    "Exchange",
    "Handler",
    "Header",
    "Headers",
    "InPieces",
    "Limits",
    "Lines",
    "Pool",
    "Receiver",
    "Refusal",
    "Response",
    "ResponseHead",
    "Server",
    "UpstreamError",
    "UpstreamFault",
    "bound_socket",
    "fetch",
    "header_lines",
    "serve",
    "serve_on",
]
