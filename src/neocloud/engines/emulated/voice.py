"""The words of one of a request's answers: a choice, as OpenAI's interfaces call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from neocloud.engines.emulated.speech import Speech
from neocloud.engines.emulated.tokens import TOKEN_BYTES

_IMPOSSIBLE = -9999.0
"""vLLM's stand-in for the logarithm of nothing."""
encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Names:
    """What an interface calls its answers: prefix of the id, `object` whole and of an event."""

    id_prefix: bytes
    whole: bytes
    event: bytes


CHAT = Names(b"chatcmpl-", b"chat.completion", b"chat.completion.chunk")
COMPLETION = Names(b"cmpl-", b"text_completion", b"text_completion")


class Voice:
    """One choice's pieces of JSON.

    Attributes:
        names: of its interface.
        speech: what it says.
        finish_reason: `stop`, `length` or `tool_calls`.
    """

    __slots__ = (
        "_after",
        "_before",
        "_chat",
        "_index",
        "_logprobs",
        "_open",
        "_opening",
        "_stop",
        "_tool",
        "finish_reason",
        "names",
        "speech",
    )

    def __init__(
        self,
        names: Names,
        index: int,
        speech: Speech,
        finish_reason: str,
        *,
        tool: tuple[str, str] | None = None,
        stop: str | None = None,
        logprobs: int | None = None,
    ) -> None:
        """Put together what all events share.

        Args:
            names: of the interface.
            index: of the choice.
            speech: what it says: text, or a tool call's arguments.
            finish_reason: why it ends.
            tool: name of the tool that is called and id of the call; None for text.
            stop: stop word that ended it.
            logprobs: candidates told beside each token; None for none.
        """
        self.names, self.speech, self.finish_reason = names, speech, finish_reason
        self._chat, self._index, self._tool = names is CHAT, index, tool
        self._stop, self._logprobs = stop, logprobs
        self._open = b'{"index":%d,' % index
        role = b'"delta":{"role":"assistant","content":%b}'
        self._opening: tuple[bytes, ...] = ()
        if not self._chat:
            self._before, close = self._open + b'"text":"', b'"'
        elif tool is None:
            self._before, close = self._open + b'"delta":{"content":"', b'"}'
            self._opening = (role % b'"","refusal":null',)
        else:
            name, call_id = tool
            function = {"name": name, "arguments": ""}
            call = {"index": 0, "id": call_id, "type": "function", "function": function}
            self._before = self._open + (
                b'"delta":{"tool_calls":[{"index":0,"function":{"arguments":"'
            )
            close = b'"}}]}'
            self._opening = (role % b"null", b'"delta":{"tool_calls":[%b]}' % encode(call))
        self._after = close + b',"logprobs":'

    def opening(self) -> list[bytes]:
        """Choices of the events before the first token."""
        return [
            b'%b%b,"logprobs":null,"finish_reason":null}' % (self._open, said)
            for said in self._opening
        ]

    def tokens(self, first: int, end: int) -> bytes:
        """Choice of the event of some tokens; empty if they say nothing."""
        said = self.speech.said(first, end)
        if self._logprobs is None:
            if not said:
                return b""
            return b'%b%b%bnull,"finish_reason":null}' % (self._before, said, self._after)
        told = encode(self._told(first, end))
        return b'%b%b%b%b,"finish_reason":null}' % (self._before, said, self._after, told)

    def ending(self) -> bytes:
        """Choice of the event after the last token."""
        nothing = b'"delta":{}' if self._chat else b'"text":""'
        return b'%b%b,"logprobs":null,%b}' % (self._open, nothing, self._finish())

    def whole(self) -> bytes:
        """The choice in one piece."""
        text = self.speech.said(0, self.speech.tokens)
        if not self._chat:
            said = b'"text":"%b"' % text
        elif self._tool is None:
            said = b'"message":{"role":"assistant","content":"%b","refusal":null}' % text
        else:
            name, call_id = self._tool
            said = (
                b'"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":['
                b'{"id":%b,"type":"function","function":{"name":%b,"arguments":"%b"}}]}'
            ) % (encode(call_id), encode(name), text)
        told = None if self._logprobs is None else self._told(0, self.speech.tokens)
        return b'%b%b,"logprobs":%b,%b}' % (self._open, said, encode(told), self._finish())

    def _finish(self) -> bytes:
        reason = encode(self.finish_reason)
        if self._stop is None:
            return b'"finish_reason":%b' % reason
        return b'"finish_reason":%b,"stop_reason":%b' % (reason, encode(self._stop))

    def _told(self, first: int, end: int) -> dict[str, Any]:
        """Log-probabilities: each token was the only one possible, for no model had a choice."""
        count = self._logprobs or 0
        laid_out = self.speech.laid_out
        raw = [laid_out[i * TOKEN_BYTES : (i + 1) * TOKEN_BYTES] for i in range(first, end)]
        texts = [token.decode("utf-8", "replace") for token in raw]
        others = {f"other {i}": _IMPOSSIBLE for i in range(1, count)}
        if not self._chat:
            return {
                "text_offset": [i * TOKEN_BYTES for i in range(first, end)],
                "token_logprobs": [0.0] * (end - first),
                "tokens": texts,
                "top_logprobs": [{text: 0.0, **others} for text in texts],
            }
        content = []
        for text, token in zip(texts, raw, strict=True):
            own = {"token": text, "logprob": 0.0, "bytes": list(token)}
            more = [
                {"token": t, "logprob": v, "bytes": list(t.encode())} for t, v in others.items()
            ]
            content.append({**own, "top_logprobs": [own, *more] if count else []})
        return {"content": content, "refusal": None}
