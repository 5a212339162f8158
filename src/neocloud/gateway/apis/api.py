"""What the gateway needs to know of an API: how it is read, sent on, answered and refused.

A client speaks an `Api`; an engine speaks perhaps another. A `Dialect` is one pair of the two: most
pass bytes through, some translate.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from neocloud.gateway.apis.refusals import ApiError


class Usage(msgspec.Struct, frozen=True):
    """Tokens by the engine's own count.

    Attributes:
        input_tokens: prompt tokens, cached ones included.
        cached_tokens: of them, found in the prefix cache; never more than `input_tokens`.
        output_tokens: generated tokens, reasoning included.
        reasoning_tokens: of them, reasoning; 0 where it is not told.
    """

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int = 0


MOST_TIER = 32
"""Characters of a service tier; a longer one is the name of none."""


def tier_of(said: str | None) -> str:
    """A service tier as it is kept of a request: short, empty for none."""
    return said if said is not None and len(said) <= MOST_TIER else ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway reads of a request, whatever its API; the rest passes through.

    Attributes:
        model: as the client calls it.
        prompt: the raw JSON of what stands before the answer: messages, prompt or input.
        stream: True if the answer shall come as a stream.
        wants_usage: True if the client asked for the usage of a stream.
        limit: the most output tokens of one answer, as the client says; None if it does not.
        answers: how many answers it asks for: `n`, times the prompts where there may be several.
        media: images, sounds and files in it; their tokens do not follow from their bytes.
        media_bytes: bytes of the prompt that belong to them.
        service_tier: as the client says; empty if it does not.
    """

    model: str
    prompt: bytes
    stream: bool = False
    wants_usage: bool = False
    limit: int | None = None
    answers: int = 1
    media: int = 0
    media_bytes: int = 0
    service_tier: str = ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway wants of the engine beside what the client asked for.

    Attributes:
        model: name that the engine knows the model by.
        limit: output tokens to allow where the client set no limit; None adds none.
        continuous: ask for the usage in each event of a stream.
        salt_field: field by which the engine salts its prefix cache; empty for none.
        salt: the tenant's own.
    """

    model: str
    limit: int | None = None
    continuous: bool = False
    salt_field: str = ""
    salt: str = ""


class AnswerStream(Protocol):
    """Takes the pieces of one streamed answer as they come from the engine.

    Attributes:
        usage: the last that the engine told; None before.
        counted: that usage holds all that was generated so far. False where the engine has told of
            the prompt alone.
        content_seen: a token has come.
        content_events: events so far that hold content; an estimate of tokens, no more.
        failed: the engine reported an error in the stream.
        complete: the engine ended the answer well; `[DONE]` alone does not say that.
        oversized: an event does not end.
        held: what must wait for the ledger: the end of the answer as the client sees it.
    """

    usage: Usage | None
    counted: bool
    content_seen: bool
    content_events: int
    failed: bool
    held: bytes

    @property
    def complete(self) -> bool:
        """True if the engine ended the answer well."""
        ...

    @property
    def oversized(self) -> bool:
        """True if an event does not end."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take a piece; what may go to the client now."""
        ...

    def rest(self) -> bytes:
        """What came after the last complete event, once the body has ended."""
        ...


class Dialect(Protocol):
    """How a request of one API is put to an engine, and its answer to the client.

    Attributes:
        path: at the engine, after its prefix.
    """

    path: bytes

    def request(self, body: bytes, asked: Asked, wanted: Wanted) -> bytes:
        """The body that the engine gets.

        Raises:
            ApiError: 400, it cannot be put to this engine.
        """
        ...

    def stream(self, asked: Asked) -> AnswerStream:
        """Reader of a streamed answer."""
        ...

    def whole(self, body: bytes, asked: Asked) -> tuple[bytes, Usage | None]:
        """An unstreamed answer (status 200) as the client gets it, and its usage if it tells."""
        ...

    def refusal(self, status: int, body: bytes) -> bytes:
        """The engine's error as the client gets it."""
        ...


class Api(Protocol):
    """An API that clients speak.

    Attributes:
        name: as in usage events: `chat`, `completions`, `embeddings`, `responses`, `messages`.
        path: where clients post to.
        anthropic: True if errors have Anthropic's shape and keys may come as `x-api-key`.
    """

    name: str
    path: str
    anthropic: bool

    def read(self, body: bytes) -> Asked:
        """Read a request.

        Raises:
            ApiError: 400, the body is no request of this API.
        """
        ...

    def toward(self, speaks: frozenset[str]) -> Dialect | None:
        """How an engine that speaks these APIs is asked; None if it cannot be."""
        ...


__all__ = ["AnswerStream", "Api", "ApiError", "Asked", "Dialect", "Usage", "Wanted", "tier_of"]
