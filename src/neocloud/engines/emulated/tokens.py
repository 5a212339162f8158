"""The emulated tokenizer: four bytes are one token, of a prompt as of an answer.

English text averages a little over four bytes a token in today's vocabularies, so lengths come out
about right without a vocabulary. A prompt is laid out as a chat template would: before each message
four tokens for its role, then its text filled up to a whole token; at the end the four tokens that
open the answer. An answer sent back as a message of the next turn thus has the very bytes and
tokens that it was generated as, and its blocks are found again in the prefix cache.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

TOKEN_BYTES = 4
MESSAGE_TOKENS = 4
"""Template before each message, and before the answer."""

_SAID = (
    "This answer is emulated: no model has run, and every four letters that you read here stand "
    "for one token of its length. "
)
_SAID_ABROAD = (
    "Diese Antwort ist emuliert: kein Modell hat gerechnet, und je vier Bytes, die hier stehen, "
    "sind ein Token ihrer Länge – gleich, ob sie für ß, €, 語 oder 𝄞 stehen. "
)
_HEADER_BYTES = MESSAGE_TOKENS * TOKEN_BYTES


def _whole(said: str) -> bytes:
    """A sentence of whole tokens, so that it can be repeated."""
    text = said.encode()
    return text + b" " * (-len(text) % TOKEN_BYTES)


SENTENCE = _whole(_SAID)
FOREIGN_SENTENCE = _whole(_SAID_ABROAD)
"""Some of its tokens end within a letter."""


def answer_text(tokens: int, sentence: bytes = SENTENCE) -> bytes:
    """Text of an answer of so many tokens."""
    size = tokens * TOKEN_BYTES
    return (sentence * (size // len(sentence) + 1))[:size]


def whole_tokens(text: bytes) -> bytes:
    """Text filled up to a whole number of tokens."""
    return text + b"\0" * (-len(text) % TOKEN_BYTES)


def header(role: str) -> bytes:
    """The template's tokens before a message of `role`."""
    return role.encode()[:_HEADER_BYTES].ljust(_HEADER_BYTES, b"\0")


def tokens_of(laid_out: bytes) -> int:
    """Tokens of a prompt that is laid out in whole tokens."""
    return len(laid_out) // TOKEN_BYTES


def prefix_ids(laid_out: bytes, block_tokens: int, salt: str = "") -> NDArray[np.uint64]:
    """Chained hash of each full block: it stands for the block and all before it.

    Args:
        laid_out: prompt and answer in whole tokens.
        block_tokens: tokens of a block.
        salt: only who gives the same one finds these blocks; empty for none.
    """
    size = block_tokens * TOKEN_BYTES
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest() if salt else b""
    state = hashlib.blake2b(digest_size=8, key=key)
    digests = []
    for start in range(0, len(laid_out) - size + 1, size):
        state.update(laid_out[start : start + size])
        digests.append(state.copy().digest())
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def seed_of(laid_out: bytes, seed: int) -> float:
    """A number from 0 to below 1 that the prompt and the request's seed decide."""
    digest = hashlib.blake2b(laid_out, digest_size=8, salt=(seed % 2**64).to_bytes(8, "big"))
    return int.from_bytes(digest.digest()[:6], "big") / 2**48
