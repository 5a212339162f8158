"""OpenAI's chat answers, as far as a check reads them: what is missing or wrong is told by name."""

from __future__ import annotations

import msgspec


class Function(msgspec.Struct):
    """What a tool call calls."""

    name: str
    arguments: str


class ToolCall(msgspec.Struct):
    """A call of a tool."""

    id: str
    function: Function


class Message(msgspec.Struct):
    """What the model says. Engines call what it thinks by either name."""

    role: str
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None


class TokenProbability(msgspec.Struct):
    """A token and the natural logarithm of its probability."""

    token: str
    logprob: float


class Probabilities(msgspec.Struct):
    """Those of an answer."""

    content: list[TokenProbability] | None = None


class Choice(msgspec.Struct):
    """One answer."""

    index: int
    finish_reason: str
    message: Message
    logprobs: Probabilities | None = None


class Usage(msgspec.Struct):
    """Tokens of a request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatAnswer(msgspec.Struct):
    """A whole answer."""

    model: str
    choices: list[Choice]
    usage: Usage


class Delta(msgspec.Struct):
    """What an event adds."""

    content: str | None = None


class EventChoice(msgspec.Struct):
    """One answer's part of an event."""

    index: int = 0
    delta: Delta = msgspec.field(default_factory=Delta)
    finish_reason: str | None = None


class ChatEvent(msgspec.Struct):
    """An event of a stream."""

    choices: list[EventChoice] = []
    usage: Usage | None = None
    error: dict[str, object] | str | None = None
