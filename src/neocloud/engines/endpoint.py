"""Where one engine answers, and how to speak to it."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from neocloud.wire import Address

EMULATED = "emulated"
REMOTE = "remote"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One engine behind OpenAI's HTTP interface.

    Attributes:
        replica: `site/pool/model/ordinal`.
        address: where it listens.
        prefix: path before `/v1/...`; empty, or with a leading and no trailing slash.
        kind: `emulated`, `vllm` or `remote`.
        model: name that the engine knows the model by.
        authorization: value of the Authorization field sent to it; empty for none. A secret: it
            shows in no repr.
    """

    replica: str
    address: Address
    prefix: bytes
    kind: str
    model: str
    authorization: bytes = b""

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
    url: str, *, replica: str, model: str, kind: str = REMOTE, key: str = ""
) -> Endpoint:
    """Endpoint of an OpenAI-compatible base URL, given with or without its `/v1`.

    Args:
        url: such as `http://127.0.0.1:8000`, `https://api.example.com/openai/v1`.
        replica: id under which it is known here.
        model: name that the engine knows the model by.
        kind: of the engine.
        key: API key of the engine; empty for none.

    Raises:
        ValueError: the URL or the key cannot be used; the message says why.
    """
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
    path = path.removesuffix("/v1").rstrip("/")
    if not all(" " <= letter <= "~" for letter in key) or key != key.strip():
        raise ValueError("engine key: a key is one line of ASCII without spaces around it")
    return Endpoint(
        replica=replica,
        address=address,
        prefix=path.encode("ascii"),
        kind=kind,
        model=model,
        authorization=f"Bearer {key}".encode("ascii") if key else b"",
    )
