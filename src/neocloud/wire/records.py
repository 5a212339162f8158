"""Limits, addresses and answers."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a server allows its clients. Precedents: nginx 32 KiB of headers, 75 s idle.

    Attributes:
        max_header_bytes: target and header fields of one request together; 431 beyond.
        max_headers: header fields of one request; 431 beyond.
        max_body_bytes: body of one request, and of all that wait in one connection; 413 beyond.
        max_pipelined: requests that may wait behind the one being answered; reading pauses then.
        max_connections: open connections; more are closed at once.
        request_timeout_s: from the first byte of a request to its last; 408 beyond.
        idle_timeout_s: between two requests of a connection.
        write_timeout_s: how long a client may take nothing of what waits for it.
        linger_s: how long the rest of a refused request is read and thrown away, so that the
            client sees the refusal and not a reset.
    """

    max_header_bytes: int = 32 * 1024
    max_headers: int = 128
    max_body_bytes: int = 32 * 1024 * 1024
    max_pipelined: int = 16
    max_connections: int = 16_384
    request_timeout_s: float = 60.0
    idle_timeout_s: float = 75.0
    write_timeout_s: float = 60.0
    linger_s: float = 2.0


class ClientLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a client allows its upstreams.

    Attributes:
        connect_timeout_s: to make a connection, TLS included.
        head_timeout_s: from the request to the first byte of the answer; a long prompt is
            computed before it.
        read_timeout_s: between two pieces of an answer.
        idle_s: how long an unused connection is kept. uvicorn, and so vLLM, closes after 5 s.
        max_connections: connections to one address.
        max_head_bytes: status line and header fields of an answer.
    """

    connect_timeout_s: float = 2.0
    head_timeout_s: float = 600.0
    read_timeout_s: float = 120.0
    idle_s: float = 4.0
    max_connections: int = 4096
    max_head_bytes: int = 64 * 1024


class Address(msgspec.Struct, frozen=True):
    """Where an upstream listens."""

    host: str
    port: int
    tls: bool = False

    @classmethod
    def of_url(cls, url: str) -> Address:
        """Take scheme, host and port of an http or https URL.

        Raises:
            ValueError: the URL has another scheme, no host, or a port that is none.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not a URL; write http://host:port or https://host")
        if parts.username is not None:
            raise ValueError(f"a URL with a user name is not accepted: {parts.hostname}")
        tls = parts.scheme == "https"
        return cls(parts.hostname, parts.port or (443 if tls else 80), tls)

    @property
    def authority(self) -> str:
        """As in a Host field: `host`, or `host:port` where the port is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class ResponseHead(msgspec.Struct, frozen=True):
    """Status and header fields of an answer; names in lower case, repeated ones joined by comma."""

    status: int
    headers: dict[bytes, bytes]


class Response(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
