"""Where one engine answers, and how to speak to it."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlsplit

import msgspec

from neocloud.engines.kinds import APIS, EMULATED, KINDS, REMOTE
from neocloud.units import price_per_token
from neocloud.wire import Address


class TokenPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody else's engine asks for tokens, in pico-units (1e-12 of the currency) a token.

    Attributes:
        currency: ISO 4217 code.
        input: a prompt token.
        cached: a prompt token from the prefix cache.
        output: a generated token.
    """

    currency: str
    input: int
    cached: int
    output: int

    @classmethod
    def per_mtok(
        cls, currency: str, input_: Decimal, output: Decimal, cached: Decimal | None = None
    ) -> TokenPrice:
        """From prices a million tokens; cached ones cost as much as others unless told.

        Raises:
            MoneyError: a price is below 0, or so fine that a token is no whole pico-unit.
        """
        return cls(
            currency=currency,
            input=price_per_token(input_),
            cached=price_per_token(input_ if cached is None else cached),
            output=price_per_token(output),
        )

    def of(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> int:
        """Pico-units for a request; `cached_tokens` are among `input_tokens`."""
        fresh = input_tokens - cached_tokens
        return fresh * self.input + cached_tokens * self.cached + output_tokens * self.output


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One engine behind OpenAI's HTTP interface.

    What an endpoint is not told about its engine is the least that any has: chat, completions and
    embeddings, no usage within streams, no salt. `endpoint_of_url` fills in what the kind has.

    Attributes:
        replica: `site/pool/model/ordinal`.
        address: where it listens.
        prefix: path before `/v1/...`; empty, or with a leading and no trailing slash.
        kind: `vllm`, `sglang`, `llamacpp`, `remote` or `emulated`.
        model: name that the engine knows the model by.
        authorization: value of the Authorization field sent to it; empty for none. A secret: it
            shows in no repr.
        speaks: APIs that it is asked in as they are (`kinds.APIS`).
        continuous: it understands `stream_options.continuous_usage_stats`.
        salt_field: field of a request that parts its prefix cache; empty for none.
        precision: of the served weights, such as `fp8` or `Q4_K_M`; empty where unknown.
        price: what its owner asks for tokens; None where they are our own, or free.
    """

    replica: str
    address: Address
    prefix: bytes
    kind: str
    model: str
    authorization: bytes = b""
    speaks: frozenset[str] = KINDS[REMOTE].speaks
    continuous: bool = False
    salt_field: str = ""
    precision: str = ""
    price: TokenPrice | None = None

    @property
    def emulated(self) -> bool:
        """True if no accelerator and no model stand behind it."""
        return self.kind == EMULATED

    def __repr__(self) -> str:
        secret = ", authorization=..." if self.authorization else ""
        return (
            f"Endpoint(replica={self.replica!r}, address={str(self.address)!r}, "
            f"prefix={self.prefix!r}, kind={self.kind!r}, model={self.model!r}{secret})"
        )


def endpoint_of_url(
    url: str,
    *,
    replica: str,
    model: str,
    kind: str = REMOTE,
    key: str = "",
    speaks: frozenset[str] | None = None,
    precision: str = "",
    price: TokenPrice | None = None,
) -> Endpoint:
    """Endpoint of an OpenAI-compatible base URL, given with or without its `/v1`.

    Args:
        url: such as `http://127.0.0.1:8000`, `https://api.example.com/openai/v1`.
        replica: id under which it is known here.
        model: name that the engine knows the model by.
        kind: of the engine; says what it speaks.
        key: API key of the engine; empty for none.
        speaks: APIs that this one speaks, in place of those of its kind.
        precision: of the served weights.
        price: what its owner asks.

    Raises:
        ValueError: URL, key, kind or an API cannot be used; the message says why.
    """
    if kind not in KINDS:
        raise ValueError(f"engine kind {kind!r} is not one of {', '.join(KINDS)}")
    if speaks is not None and not speaks <= APIS:
        unknown = ", ".join(sorted(speaks - APIS))
        raise ValueError(f"engine API {unknown} is not one of {', '.join(sorted(APIS))}")
    address, prefix = _place(url)
    if not all(" " <= letter <= "~" for letter in key) or key != key.strip():
        raise ValueError("engine key: a key is one line of ASCII without spaces around it")
    manners = KINDS[kind]
    return Endpoint(
        replica=replica,
        address=address,
        prefix=prefix,
        kind=kind,
        model=model,
        authorization=f"Bearer {key}".encode("ascii") if key else b"",
        speaks=manners.speaks if speaks is None else speaks,
        continuous=manners.continuous,
        salt_field=manners.salt_field,
        precision=precision,
        price=price,
    )


def _place(url: str) -> tuple[Address, bytes]:
    """Address of a base URL, and the path before its `/v1`."""
    try:
        address = Address.of_url(url)
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError(f"engine URL: {error}") from None
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError(f"engine URL {url!r}: leave out what follows the path (? or #)")
    if not all("!" <= letter <= "~" for letter in url):
        raise ValueError(
            f"engine URL {url!r}: a space or a letter beyond ASCII; write it percent-encoded"
        )
    path = parts.path.rstrip("/")
    return address, path.removesuffix("/v1").rstrip("/").encode("ascii")
