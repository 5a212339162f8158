"""What an answer says: its tokens, and the text that each adds."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import msgspec

from neocloud.engines.emulated.tokens import (
    FOREIGN_SENTENCE,
    SENTENCE,
    TOKEN_BYTES,
    answer_text,
)


def _pieces(text: bytes) -> tuple[bytes, ...]:
    """The text that each token completes, as the inside of a JSON string.

    A token that ends within a letter says nothing: its text comes with the token that completes the
    letter, as the detokenizers of engines have it. What is never completed is never told.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    pieces, held = [], ""
    for start in range(0, len(text), TOKEN_BYTES):
        held += decoder.decode(text[start : start + TOKEN_BYTES])
        within, _ = decoder.getstate()
        pieces.append(b"" if within else msgspec.json.encode(held)[1:-1])
        if not within:
            held = ""
    return tuple(pieces)


@dataclass(frozen=True, slots=True)
class Speech:
    """An answer's text, token by token.

    Attributes:
        tokens: of the answer.
        laid_out: its tokens as they stand in a prompt, four bytes each.
        pieces: what each token adds, over and over if there are fewer pieces than tokens.
    """

    tokens: int
    laid_out: bytes
    pieces: tuple[bytes, ...]

    def said(self, first: int, end: int) -> bytes:
        """What tokens `first` to before `end` add, as the inside of a JSON string."""
        pieces, count = self.pieces, len(self.pieces)
        if end - first == 1:
            return pieces[first % count]
        start = first % count
        return b"".join(islice(cycle(pieces), start, start + end - first))

    def cut(self, tokens: int) -> Speech:
        """Its first tokens."""
        return Speech(tokens, self.laid_out[: tokens * TOKEN_BYTES], self.pieces)


_PIECES = {text: _pieces(text) for text in (SENTENCE, FOREIGN_SENTENCE)}


def sentence(tokens: int, *, foreign: bool = False) -> Speech:
    """The sentence that says that the answer is emulated, over and over.

    Args:
        tokens: of the answer.
        foreign: in a script with letters of several bytes, for prompts that have such.
    """
    text = FOREIGN_SENTENCE if foreign else SENTENCE
    return Speech(tokens, answer_text(tokens, text), _PIECES[text])


def document(text: str) -> Speech:
    """A text of its own, a last token filled up with spaces."""
    said = text.encode()
    laid_out = said + b" " * (-len(said) % TOKEN_BYTES)
    return Speech(len(laid_out) // TOKEN_BYTES, laid_out, _pieces(said))


def stopped(speech: Speech, stops: Sequence[str], *, told: bool) -> tuple[Speech, str] | None:
    """The answer up to the first stop word, and which one it was; None if none is in it.

    As in vLLM, the token that completes the word still counts, and of the text nothing is told
    from the word on.

    Args:
        speech: the whole answer.
        stops: words that end it.
        told: the word itself is told, too.
    """
    found: list[tuple[int, int, int, str]] = []
    for order, stop in enumerate(stops):
        word = stop.encode()
        place = speech.laid_out.find(word)
        if place >= 0:
            tokens = -(-(place + len(word)) // TOKEN_BYTES)
            found.append((tokens, order, place + (len(word) if told else 0), stop))
    if not found:
        return None
    tokens, _, visible, stop = min(found)
    pieces = _pieces(speech.laid_out[:visible])
    pieces += (b"",) * (tokens - len(pieces))
    return Speech(tokens, speech.laid_out[: tokens * TOKEN_BYTES], pieces), stop
