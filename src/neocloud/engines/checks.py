"""A few fixed requests to a served model, and what is wrong with its answers.

A check passes or raises `CheckFailedError`, whose message says how it failed. What a model says is
not judged, only whether what was asked of the server came: a random model passes, where the server
is sound.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeVar

import msgspec

from neocloud.engines.answers import ChatAnswer, ChatEvent, Message, Usage
from neocloud.engines.endpoint import Endpoint
from neocloud.engines.errors import EngineAnswerError
from neocloud.engines.probe import list_models
from neocloud.wire import Pool, Response, UpstreamError, fetch

_CHAT = b"/v1/chat/completions"
_QUESTION = "Name three colours of the rainbow."
_TOOL = "get_weather"
_SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
_SHOWN = 200
_EMPTY_ANSWERS = 4
"""Answers without a token, of which nothing can be told, until a check counts as failed."""
_STOP = re.compile(r"[ -~]{1,4}")
"""What an answer is stopped at: printable, so that no cut character hides it."""

Answer = TypeVar("Answer")


class CheckFailedError(Exception):
    """The answer is not what was asked for; the message says how."""


class Outcome(StrEnum):
    """How a check went."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one check.

    Attributes:
        name: of the check.
        required: False where a sound engine may fail it, for its model cannot do it.
        outcome: how it went.
        seconds: that it took.
        detail: how it failed or why it was skipped; empty if it passed.
    """

    name: str
    required: bool
    outcome: Outcome
    seconds: float
    detail: str


class Checker:
    """Asks one model of one server.

    Args:
        pool: connections to it.
        endpoint: where it is, and the model's name there.
        timeout_s: for each answer.
        long_words: words of the long prompt.
    """

    def __init__(
        self, pool: Pool, endpoint: Endpoint, *, timeout_s: float, long_words: int
    ) -> None:
        self._pool = pool
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._long_words = long_words

    async def models(self) -> None:
        """The model is listed."""
        try:
            listed = await list_models(self._pool, self._endpoint, timeout_s=self._timeout_s)
        except EngineAnswerError as error:
            raise CheckFailedError(str(error)) from None
        if self._endpoint.model not in listed:
            raise CheckFailedError(f"lists {', '.join(listed) or 'nothing'}")

    async def plain(self) -> None:
        """A whole answer with text, a reason why it ends, and its usage."""
        await self._said(max_tokens=16)

    async def stream(self) -> None:
        """Events that end with a reason, the usage asked for, and `[DONE]`."""
        answer = await self._asked(
            max_tokens=16, stream=True, stream_options={"include_usage": True}
        )
        kind = answer.headers.get(b"content-type", b"").decode("latin-1")
        if not kind.startswith("text/event-stream"):
            raise CheckFailedError(f"its content type is {kind or 'not told'}: no stream of events")
        events, done = _events(answer.body)
        if not any(c.finish_reason for event in events for c in event.choices):
            raise CheckFailedError("no event tells why the answer ends")
        usage = next((event.usage for event in reversed(events) if event.usage), None)
        if usage is None:
            raise CheckFailedError("stream_options.include_usage brings no usage")
        _check_usage(usage, 16)
        if not done:
            raise CheckFailedError("it does not end with [DONE]")

    async def one_token(self) -> None:
        """A limit of one token is kept."""
        await self._said(max_tokens=1)

    async def stop(self) -> str:
        """A stop sequence, taken from an answer of its own, is not in the same answer again."""
        whole = _text(await self._said(max_tokens=32, temperature=0, seed=7))
        found = _STOP.search(whole, len(whole) // 2) or _STOP.search(whole)
        if found is None:
            return "its answer holds nothing printable to stop at"
        text = _text(await self._said(max_tokens=32, temperature=0, seed=7, stop=[found.group()]))
        if found.group() in text:
            raise CheckFailedError(f"the answer goes on past the stop sequence {found.group()!r}")
        return ""

    async def long(self) -> None:
        """A long prompt is taken whole."""
        words = " ".join(f"w{number % 97}" for number in range(self._long_words))
        answer = await self._said(f"{words} {_QUESTION}", max_tokens=4)
        if answer.usage.prompt_tokens < self._long_words:
            raise CheckFailedError(
                f"{self._long_words} words are {answer.usage.prompt_tokens} prompt tokens: it was "
                "cut, or is counted wrong"
            )

    async def several(self) -> None:
        """`n` answers to one prompt."""
        answer = await self._said(max_tokens=4, n=2)
        indices = sorted(choice.index for choice in answer.choices)
        if indices != [0, 1]:
            raise CheckFailedError(f"n=2 brings answers {indices}")

    async def logprobs(self) -> None:
        """Probabilities of the generated tokens."""
        for _ in range(_EMPTY_ANSWERS):
            answer = await self._said(max_tokens=4, logprobs=True, top_logprobs=2)
            told = answer.choices[0].logprobs
            if (told is not None and told.content) or answer.choices[0].message.content:
                break
        if told is None or not told.content:
            raise CheckFailedError("logprobs brings none")
        # sums of rounded numbers may lie a little above
        if any(token.logprob > 1e-3 for token in told.content):
            raise CheckFailedError("a logarithm of a probability is above 0")

    async def tools(self) -> None:
        """A tool that must be called is called, with arguments that are JSON."""
        city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        tool = {"name": _TOOL, "description": "Weather of a city.", "parameters": city}
        answer = await self._said(
            "What is the weather in Oslo?",
            max_tokens=256,
            tools=[{"type": "function", "function": tool}],
            tool_choice={"type": "function", "function": {"name": _TOOL}},
        )
        calls = answer.choices[0].message.tool_calls
        if not calls:
            raise CheckFailedError("the tool that it must call is not called")
        function = calls[0].function
        if function.name != _TOOL:
            raise CheckFailedError(f"it calls {function.name!r}, which is no tool")
        _decoded(function.arguments.encode(), dict[str, object], "the arguments")

    async def schema(self) -> None:
        """An answer in the form of a JSON schema."""
        answer = await self._said(
            max_tokens=256,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": _SCHEMA, "strict": True},
            },
        )
        if answer.choices[0].finish_reason == "length":
            raise CheckFailedError("the answer did not end within 256 tokens")
        told = _decoded(_text(answer).encode(), dict[str, object], "the answer")
        if told.keys() != {"colour"} or told["colour"] not in ("red", "blue"):
            raise CheckFailedError("the answer is JSON, but not of the schema")

    async def _said(self, text: str = _QUESTION, *, max_tokens: int, **more: object) -> ChatAnswer:
        """A whole answer whose form and usage are right."""
        answer = await self._asked(text, max_tokens=max_tokens, **more)
        said = _decoded(answer.body, ChatAnswer, "the answer")
        if not said.choices:
            raise CheckFailedError("it has no choices")
        for choice in said.choices:
            _check_message(choice.message)
        _check_usage(said.usage, max_tokens * len(said.choices))
        return said

    async def _asked(self, text: str = _QUESTION, **fields: object) -> Response:
        endpoint = self._endpoint
        body = msgspec.json.encode(
            {
                "model": endpoint.model,
                "messages": [{"role": "user", "content": text}],
                **fields,
            }
        )
        headers = [(b"content-type", b"application/json")]
        if endpoint.authorization:
            headers.append((b"authorization", endpoint.authorization))
        answer = await fetch(
            self._pool, b"POST", endpoint.prefix + _CHAT, headers, body, timeout_s=self._timeout_s
        )
        if answer.status != 200:
            raise CheckFailedError(f"answered {answer.status}: {_shown(answer.body)}")
        return answer


Check = Callable[[Checker], Awaitable[str | None]]

CHECKS: tuple[tuple[str, bool, Check], ...] = (
    ("models", True, Checker.models),
    ("plain", True, Checker.plain),
    ("stream", True, Checker.stream),
    ("one-token", True, Checker.one_token),
    ("stop", True, Checker.stop),
    ("long", True, Checker.long),
    ("several", False, Checker.several),
    ("logprobs", False, Checker.logprobs),
    ("tools", False, Checker.tools),
    ("schema", False, Checker.schema),
)
"""Name, whether an engine that fails it cannot be used here, and the check."""


async def run_checks(
    pool: Pool,
    endpoint: Endpoint,
    *,
    timeout_s: float = 120.0,
    long_words: int = 1500,
    required: frozenset[str] = frozenset(),
) -> tuple[CheckResult, ...]:
    """Make every check, one after the other.

    Args:
        pool: connections to the server.
        endpoint: where it is, and the model's name there.
        timeout_s: for each answer.
        long_words: words of the long prompt, each one token or more.
        required: checks that must pass beside those that always must.
    """
    checker = Checker(pool, endpoint, timeout_s=timeout_s, long_words=long_words)
    results = []
    for name, needed, check in CHECKS:
        begun = time.monotonic()
        outcome, detail = Outcome.PASSED, ""
        try:
            detail = await check(checker) or ""
            outcome = Outcome.SKIPPED if detail else Outcome.PASSED
        except (CheckFailedError, UpstreamError) as error:
            outcome, detail = Outcome.FAILED, str(error)
        results.append(
            CheckResult(
                name=name,
                required=needed or name in required,
                outcome=outcome,
                seconds=time.monotonic() - begun,
                detail=detail,
            )
        )
    return tuple(results)


def _events(body: bytes) -> tuple[list[ChatEvent], bool]:
    """Events of a stream, and whether `[DONE]` ends it."""
    events: list[ChatEvent] = []
    for line in body.replace(b"\r\n", b"\n").split(b"\n"):
        data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
        if data == b"[DONE]":
            return events, True
        if data:
            event = _decoded(data, ChatEvent, f"event {len(events)}")
            if event.error is not None:
                raise CheckFailedError(
                    f"an error within the stream: {_shown(msgspec.json.encode(event.error))}"
                )
            events.append(event)
    return events, False


def _check_message(message: Message) -> None:
    if message.role != "assistant":
        raise CheckFailedError(f"the answer is of {message.role!r}, not of the assistant")
    told = (message.content, message.reasoning, message.reasoning_content, message.tool_calls)
    if all(part is None for part in told):
        raise CheckFailedError("it has neither content nor tool calls")


def _check_usage(usage: Usage, most: int) -> None:
    if usage.prompt_tokens < 1:
        raise CheckFailedError(f"its usage tells {usage.prompt_tokens} prompt tokens")
    if not 0 <= usage.completion_tokens <= most:
        raise CheckFailedError(
            f"its usage tells {usage.completion_tokens} generated tokens where {most} are allowed"
        )
    if usage.total_tokens != usage.prompt_tokens + usage.completion_tokens:
        raise CheckFailedError("its usage does not add up")


def _text(answer: ChatAnswer) -> str:
    return answer.choices[0].message.content or ""


def _decoded(data: bytes, kind: type[Answer], what: str) -> Answer:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CheckFailedError(f"{what} is not what it should be: {error}") from None


def _shown(body: bytes) -> str:
    return body.decode("utf-8", "replace").strip()[:_SHOWN] or "nothing"
