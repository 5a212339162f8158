"""What a fake upstream does with one request: words such as `FAULT=truncate CHUNKS=5 PACE_MS=3`.

The words stand anywhere in the request's text, in what the upstream was started with, or in what a
test hands it. `WORDS` lists them; `FAULTS` says what each fault does.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

FAULTS = {
    # the connection
    "closes": "announces keep-alive and closes after the answer (llama.cpp)",
    "closes-on-reuse": "closes when the next request comes on this connection, without a word",
    "truncate": "after AFTER chunks the connection ends, the body unfinished",
    "truncate-inside": "the same, in the middle of an event",
    "reset": "the same with a TCP reset",
    "half-closed": "after AFTER chunks its own side ends; it goes on listening",
    "stall": "after AFTER chunks nothing more comes",
    "stall-head": "the head comes, and nothing more",
    "black-hole": "takes the request and never answers",
    "hang-up": "takes the request and closes without a byte",
    "exit": "after AFTER chunks the process is gone (only in a process of its own)",
    # what is said
    "error-done": "after AFTER chunks an error event, then [DONE], status 200, no usage (vLLM)",
    "error-event": "after AFTER chunks an error event, and the body ends well without [DONE]",
    "error-200": "status 200 and an error body",
    "draining": "500 while /health says 200 (vLLM that drains)",
    "full": "503 without retry-after (vLLM's bounded queue)",
    "not-json": "status 200 and a page of HTML",
    "empty": "status 200 and nothing",
    "bad-json": "after AFTER chunks an event that is no JSON, then on as usual",
    "bad-utf8": "the same with bytes that are no UTF-8",
    "no-finish": "[DONE] without a finish reason before it",
    # how it is framed
    "gzip": "the body is compressed although nobody asked",
    "length-short": "content-length is 10 below the body: the rest looks like a next answer",
    "length-long": "content-length is 10 above the body, then it closes",
    "bad-chunk": "after AFTER chunks the size of a chunk is no number",
    "until-close": "neither length nor chunks: the end of the connection ends the body",
    "interim": "100 and 103 come before the answer",
    "two-answers": "a second answer follows that nobody asked for",
    "big-head": "a header field of 100,000 bytes",
    "headers": "fields that a gateway must not pass on, as well-formed ones",
    "inject-cr": "a field with a bare CR and another field behind it",
    "inject-lf": "a field that ends in a bare LF",
    "inject-nul": "a field with a NUL",
    "inject-fold": "a field folded over two lines",
    "two-framings": "content-length beside transfer-encoding",
}
"""Name and meaning."""

USAGES = ("own", "last", "finish", "each", "cumulative", "null", "never", "bad")
"""Where a streamed answer tells its usage: in an event of its own behind the finish event, if the
request asked for it (`own`, as OpenAI); in the last content event; in the finish event; in each
event although nobody asked; in each content event, cumulative, and none at the end; as `own` with
null in all others; nowhere, unstreamed neither; as `own` with values that are no counts."""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What is done with one request.

    Attributes:
        fault: one of `FAULTS`; empty for none.
        chunks: content events; -1: one a token.
        tokens: of the answer, at most the request's `max_tokens`; -1: as many as chunks, or
            `max_tokens` where the request says `ignore_eos`, or 3.
        prompt: prompt tokens told; -1: words of the prompt.
        cached: of them, from a cache; -1: not told.
        reasoning: of the answer's tokens, thoughts; -1: not told.
        size: bytes of text in each content event; 0: the tokens' words.
        after: content events before a fault strikes.
        head_ms: before the head of the answer.
        first_ms: between the head and the first content event.
        pace_ms: before each further content event; an unstreamed answer takes as long.
        split: the answer's bytes, head included, go out in pieces of so many; 0: as they come.
        split_ms: between two pieces.
        usage: one of `USAGES`.
        done: the stream ends with [DONE].
        crlf: lines of events end in CRLF.
        comments: a comment line before each event.
        multiline: an event's data is spread over several data lines.
        utf8: the words hold letters of two to four bytes.
        status: of an error answer; 0 for none.
        retry_after: seconds of `retry-after` in an error answer; -1: none.
        tool: name of a tool that is called in place of text; empty: only where the request forces.
        tag: word under which the request is counted.
        id: of the answer; all have the same by default.
    """

    fault: str = ""
    chunks: int = -1
    tokens: int = -1
    prompt: int = -1
    cached: int = -1
    reasoning: int = -1
    size: int = 0
    after: int = 2
    head_ms: float = 0.0
    first_ms: float = 0.0
    pace_ms: float = 0.0
    split: int = 0
    split_ms: float = 0.0
    usage: str = "own"
    done: bool = True
    crlf: bool = False
    comments: bool = False
    multiline: bool = False
    utf8: bool = False
    status: int = 0
    retry_after: int = -1
    tool: str = ""
    tag: str = ""
    id: str = "fake-0"

    def __post_init__(self) -> None:
        if self.fault and self.fault not in FAULTS:
            raise ValueError(f"FAULT={self.fault} is none of {', '.join(FAULTS)}")
        if self.usage not in USAGES:
            raise ValueError(f"USAGE={self.usage} is none of {', '.join(USAGES)}")

    @property
    def at_once(self) -> bool:
        """True if all of the answer may be written in one go."""
        return not (self.head_ms or self.first_ms or self.pace_ms or self.split)


WORDS = tuple(field.upper() for field in Behaviour.__struct_fields__)

_WORD = re.compile(rf"\b({'|'.join(WORDS)})=([\w:-]+(?:\.[\w:-]+)*)")
_WORD_BYTES = re.compile(_WORD.pattern.encode())
PLAIN = Behaviour()


@lru_cache(maxsize=4096)
def changed(behaviour: Behaviour, words: tuple[tuple[str, str], ...]) -> Behaviour:
    """`behaviour` but for what the words say.

    Raises:
        ValueError: a word has no such value.
    """
    given = {name.lower(): value for name, value in words}
    had = msgspec.structs.asdict(behaviour)
    return msgspec.convert({**had, **given}, Behaviour, strict=False)


def behaviour_of(text: str, behaviour: Behaviour = PLAIN) -> Behaviour:
    """What the words in `text` say; what they leave out is as in `behaviour`.

    Raises:
        ValueError: a word has no such value.
    """
    found = _WORD.findall(text)
    return changed(behaviour, tuple(found)) if found else behaviour


def behaviour_of_body(body: bytes, behaviour: Behaviour) -> Behaviour:
    """The same, for the words anywhere in a request's body."""
    if b"=" not in body:
        return behaviour
    found = _WORD_BYTES.findall(body)
    if not found:
        return behaviour
    return changed(behaviour, tuple((name.decode(), value.decode()) for name, value in found))
