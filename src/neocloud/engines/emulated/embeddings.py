"""Embeddings: unit vectors that a hash of the text decides. No model has read it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec
import numpy as np

from neocloud.engines.emulated.delivery import Delivery
from neocloud.engines.emulated.requests import BadRequestError, decoded, prompt_of
from neocloud.engines.emulated.wording import JSON_HEADERS, SHUT_DOWN, error_body
from neocloud.wire import Exchange

MOST_INPUTS = 2048
"""OpenAI's own bound."""


class AskedVectors(msgspec.Struct, frozen=True, kw_only=True):
    """A request for embeddings.

    Attributes:
        model: name of the model.
        inputs: each laid out in whole tokens.
        dimensions: of the vectors; None for the model's own.
        base64: vectors as base64 of little-endian float32.
    """

    model: str
    inputs: tuple[bytes, ...]
    dimensions: int | None
    base64: bool


class _Body(msgspec.Struct, kw_only=True):
    model: str
    input: str | list[Any]
    dimensions: int | None = None
    encoding_format: str | None = None


_decoder = msgspec.json.Decoder(_Body)


def read_embeddings(body: bytes, most_dimensions: int) -> AskedVectors:
    """Read a body of `/v1/embeddings`.

    Raises:
        BadRequestError: it cannot be served.
    """
    asked = decoded(_decoder, body)
    given = asked.input
    if isinstance(given, str) or (given and isinstance(given[0], int)):
        given = [given]
    found = [prompt_of(one) for one in given]
    if not 0 < len(found) <= MOST_INPUTS:
        raise BadRequestError(f"input must be 1 to {MOST_INPUTS} texts", param="input")
    inputs = []
    for one in found:
        if one is None or not one.laid_out:
            message = "input must be texts or lists of token ids, none of them empty"
            raise BadRequestError(message, param="input")
        inputs.append(one.laid_out)
    if asked.encoding_format not in (None, "float", "base64"):
        raise BadRequestError("encoding_format is float or base64", param="encoding_format")
    if asked.dimensions is not None and not 1 <= asked.dimensions <= most_dimensions:
        message = f"dimensions must be from 1 to {most_dimensions}"
        raise BadRequestError(message, param="dimensions")
    return AskedVectors(
        model=asked.model,
        inputs=tuple(inputs),
        dimensions=asked.dimensions,
        base64=asked.encoding_format == "base64",
    )


def unit_vector(laid_out: bytes, dimensions: int) -> Any:
    """The vector of a text: float32, of length 1, the same whenever it is asked for."""
    digest = hashlib.shake_256(laid_out).digest(2 * dimensions)
    # Half a step off zero, so that no vector is nothing but zeros.
    values = np.frombuffer(digest, dtype="<i2").astype(np.float64) + 0.5
    return (values / np.linalg.norm(values)).astype("<f4")


class VectorDelivery(Delivery):
    """An answer of vectors: a sequence an input, each at its end with its first token."""

    __slots__ = ("_asked", "_dimensions", "_fingerprint", "_open", "_tokens")

    generates = False

    def __init__(
        self,
        exchange: Exchange,
        asked: AskedVectors,
        dimensions: int,
        tokens: int,
        fingerprint: str,
    ) -> None:
        super().__init__(exchange)
        self._asked = asked
        self._dimensions = asked.dimensions or dimensions
        self._tokens = tokens
        self._fingerprint = fingerprint
        self._open = len(asked.inputs)

    def reason(self, index: int) -> str:  # noqa: ARG002
        """An embedding ends by itself."""
        return "stop"

    def begin(self) -> None:
        """Nothing is sent before all vectors are there."""

    def found(self, index: int, cached_tokens: int) -> None:
        """Usage of embeddings has no cached tokens."""

    def token(self, index: int) -> None:  # noqa: ARG002
        """An input was computed; answer if it was the last."""
        self._open -= 1
        if not self._open:
            self.exchange.respond(200, JSON_HEADERS, self._body())

    def fail(self) -> None:
        """The answer is an error."""
        self.exchange.respond(500, JSON_HEADERS, error_body(500, SHUT_DOWN))

    def _body(self) -> bytes:
        data = []
        for index, laid_out in enumerate(self._asked.inputs):
            vector = unit_vector(laid_out, self._dimensions)
            told = (
                base64.b64encode(vector.tobytes()).decode()
                if self._asked.base64
                else vector.tolist()
            )
            data.append({"object": "embedding", "index": index, "embedding": told})
        return msgspec.json.encode(
            {
                "object": "list",
                "model": self._asked.model,
                "system_fingerprint": self._fingerprint,
                "data": data,
                "usage": {"prompt_tokens": self._tokens, "total_tokens": self._tokens},
            }
        )
