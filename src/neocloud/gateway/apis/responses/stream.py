"""An engine's stream of a chat completion as a stream of the Responses API."""

from __future__ import annotations

from typing import Any

import msgspec

from neocloud.gateway.apis.api import Asked, Usage
from neocloud.gateway.apis.event_stream import events_of, payload_of
from neocloud.gateway.apis.openai.events import OpenAIEvents
from neocloud.gateway.apis.responses.answer import Function, Logprobs, Said, ToolCall, call_name
from neocloud.gateway.apis.responses.items import (
    CallItem,
    Failure,
    Identity,
    Item,
    MessageItem,
    Outcome,
    OutputText,
    Part,
    ReasoningItem,
    ReasoningText,
    Refusal,
    identity_of,
    outcome_of,
    response_object,
)

_ABSENT = msgspec.Raw()


class _Choice(msgspec.Struct):
    index: int = 0
    delta: Said | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    created: float | None = None
    choices: list[_Choice] | None = None
    error: msgspec.Raw = _ABSENT
    object: str | None = None
    message: str | None = None


class _Error(msgspec.Struct):
    message: str = "the engine failed"


_chunks = msgspec.json.Decoder(_Chunk)
_errors = msgspec.json.Decoder(str | _Error)

_PARTS = {
    OutputText: ("response.output_text", "text"),
    Refusal: ("response.refusal", "refusal"),
    ReasoningText: ("response.reasoning_text", "text"),
}  # fmt: skip
"""How the events of a part are called, and its text in the last of them."""


class _Open:
    """The item that is being written, of which one part is."""

    __slots__ = ("call", "item", "logprobs", "number", "part", "part_number", "texts")

    def __init__(self, item: Item, number: int) -> None:
        self.item = item
        self.number = number
        self.part: type[Part] | None = None
        self.part_number = -1
        self.texts: list[str] = []
        self.logprobs: list[msgspec.Raw] = []
        self.call = -1  # the engine's number of the call that this is


class ChatToResponses:
    """Takes the pieces of a streamed chat completion; an `AnswerStream`.

    Each token is passed on as it comes. Held is the event that ends the answer, since the engine
    tells its usage after the last token.
    """

    counted = True
    __slots__ = (
        "_asked", "_calls", "_chat", "_done_items", "_failure", "_identity", "_number", "_open",
        "_out", "_outcome", "content_events", "content_seen", "failed", "held", "usage",
    )  # fmt: skip

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._chat = OpenAIEvents(wants_usage=False)
        self._out: list[bytes] = []
        self._number = 0  # of the next event
        self._identity: Identity | None = None
        self._open: _Open | None = None
        self._done_items: list[Item] = []
        self._calls: set[int] = set()  # the engine's numbers of calls that were begun
        self._outcome: Outcome | None = None
        self._failure: Failure | None = None
        self.usage: Usage | None = None
        self.content_seen = False
        self.content_events = 0
        self.failed = False
        self.held = b""

    @property
    def complete(self) -> bool:
        """True if the engine ended the answer well."""
        return self._chat.complete and self._failure is None

    @property
    def oversized(self) -> bool:
        """True if an event does not end."""
        return self._chat.oversized

    def feed(self, data: bytes) -> bytes:
        """Take a piece; what may go to the client now."""
        chat = self._chat
        passed = chat.feed(data)
        out = self._translated(passed) if passed else b""
        if chat.held and not self.held:
            out += self._end()
        self._note()
        return out

    def rest(self) -> bytes:
        """What came after the last complete event, once the body has ended.

        An answer that lacks its end is one that failed, and says so.
        """
        out = self._translated(self._chat.rest())
        if not self.held:
            if not self._chat.complete and not self._chat.failed and self._failure is None:
                self._failure = Failure("the engine broke off")
            out += self._end()
        self._note()
        return out

    def _note(self) -> None:
        chat = self._chat
        self.usage = chat.usage
        self.content_seen = chat.content_seen
        self.content_events = chat.content_events
        self.failed = chat.failed or self._failure is not None

    def _translated(self, events: bytes) -> bytes:
        for event in events_of(events):
            payload = payload_of(event)
            if payload and self._failure is None and not self.held:
                self._chunk(payload)
        return self._taken()

    def _taken(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _emit(self, kind: str, **fields: Any) -> None:
        event = msgspec.json.encode({"type": kind, "sequence_number": self._number, **fields})
        if b"\n" in event or b"\r" in event:  # a client's own JSON, repeated, in several lines
            event = msgspec.json.format(event, indent=-1)
        self._out.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), event))
        self._number += 1

    def _chunk(self, payload: bytes) -> None:
        try:
            chunk = _chunks.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._failure = Failure("an event of the engine cannot be read")
            return
        if bytes(chunk.error) not in {b"", b"null"}:
            self._failure = _failure_of(chunk.error)
            return
        if chunk.object == "error":
            self._failure = Failure(chunk.message or "the engine failed")
            return
        if self._identity is None:
            self._begin(identity_of(chunk.id, chunk.created, payload))
        for choice in chunk.choices or ():
            if choice.index == 0:
                self._choice(choice)

    def _begin(self, identity: Identity) -> None:
        self._identity = identity
        outcome = Outcome("in_progress")
        told = response_object(self._asked, identity, outcome, [], None)
        self._emit("response.created", response=msgspec.Raw(told))
        self._emit("response.in_progress", response=msgspec.Raw(told))

    def _choice(self, choice: _Choice) -> None:
        said = choice.delta
        if said is not None:
            thought = said.reasoning_content or said.reasoning
            if thought:
                self._say(ReasoningText, thought, None)
            if said.content:
                self._say(OutputText, said.content, choice.logprobs)
            if said.refusal:
                self._say(Refusal, said.refusal, None)
            for call in said.tool_calls or ():
                self._more_of(call)
        if choice.finish_reason and self._outcome is None:
            self._outcome = outcome_of(choice.finish_reason)
            self._close(self._outcome.item_status)

    # texts

    def _say(self, part: type[Part], text: str, logprobs: Logprobs | None) -> None:
        wanted = ReasoningItem if part is ReasoningText else MessageItem
        opened = self._open
        if opened is None or not isinstance(opened.item, wanted):
            self._close("completed")
            number = len(self._done_items)
            item: Item
            if part is ReasoningText:
                item = ReasoningItem(self._id("rs", number), "in_progress", [])
            else:
                item = MessageItem(self._id("msg", number), "in_progress", [])
            opened = self._added(item)
        if opened.part is not part:
            self._close_part(opened)
            opened.part = part
            opened.part_number += 1
            self._emit(
                "response.content_part.added", **self._place(opened, part=True), part=part("")
            )
        opened.texts.append(text)
        told = (logprobs.content or []) if logprobs is not None else []
        opened.logprobs += told
        more = {"logprobs": told} if part is OutputText else {}
        self._emit(f"{_PARTS[part][0]}.delta", **self._place(opened, part=True), delta=text, **more)

    def _close_part(self, opened: _Open) -> None:
        kind = opened.part
        if kind is None or isinstance(opened.item, CallItem):
            return
        text = "".join(opened.texts)
        name, field = _PARTS[kind]
        more: dict[str, Any] = {field: text}
        part: Part
        if kind is OutputText:
            part = OutputText(text, logprobs=opened.logprobs)
            more["logprobs"] = opened.logprobs
        else:
            part = kind(text)
        place = self._place(opened, part=True)
        self._emit(f"{name}.done", **place, **more)
        self._emit("response.content_part.done", **place, part=part)
        opened.item.content.append(part)  # type: ignore[arg-type]
        opened.texts = []
        opened.logprobs = []
        opened.part = None

    # calls

    def _more_of(self, call: ToolCall) -> None:
        function = call.function or Function()
        opened = self._open
        number = call.index
        if number is None:  # an engine that does not count sends calls whole
            number = len(self._calls)
        if opened is None or opened.call != number:
            if number in self._calls:
                if function.arguments:
                    self._failure = Failure("the engine mixes the calls of several tools")
                return
            self._close("completed")
            self._calls.add(number)
            index = len(self._done_items)
            name = call.id or call_name(self._known, number)
            opened = self._added(
                CallItem(self._id("fc", index), "in_progress", name, function.name or "", "")
            )
            opened.call = number
        if function.arguments:
            opened.texts.append(function.arguments)
            self._emit(
                "response.function_call_arguments.delta",
                **self._place(opened), delta=function.arguments,
            )  # fmt: skip

    # items

    def _added(self, item: Item) -> _Open:
        self._open = _Open(item, len(self._done_items))
        self._emit("response.output_item.added", output_index=self._open.number, item=item)
        return self._open

    def _close(self, status: str) -> None:
        opened = self._open
        if opened is None:
            return
        self._open = None
        item = opened.item
        if isinstance(item, CallItem):
            item.arguments = "".join(opened.texts)
            self._emit(
                "response.function_call_arguments.done",
                **self._place(opened), name=item.name, arguments=item.arguments,
            )  # fmt: skip
        else:
            self._close_part(opened)
        item.status = status
        self._emit("response.output_item.done", output_index=opened.number, item=item)
        self._done_items.append(item)

    def _place(self, opened: _Open, *, part: bool = False) -> dict[str, Any]:
        place: dict[str, Any] = {"item_id": opened.item.id, "output_index": opened.number}
        if part:
            place["content_index"] = opened.part_number
        return place

    @property
    def _known(self) -> Identity:
        assert self._identity is not None, "nothing is written before the answer has its name"
        return self._identity

    def _id(self, kind: str, number: int) -> str:
        return self._known.of(kind, number)

    # the end

    def _end(self) -> bytes:
        """What may still go now; the last event is held."""
        chat = self._chat
        if self._identity is None:
            self._begin(identity_of(None, None, self._asked.prompt))
        outcome = self._outcome or Outcome("completed")
        if self._failure is not None or (chat.failed and outcome.status != "failed"):
            outcome = Outcome("failed", "", self._failure or Failure("the engine failed"))
        self._close(outcome.item_status)
        if not self._done_items and outcome.status == "completed":
            self._say(OutputText, "", None)
            self._close("completed")
        out = self._taken()
        told = response_object(self._asked, self._known, outcome, self._done_items, chat.usage)
        self._emit(f"response.{outcome.status}", response=msgspec.Raw(told))
        self.held = self._taken()
        return out


def _failure_of(error: msgspec.Raw) -> Failure:
    try:
        told = _errors.decode(error)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Failure("the engine failed")
    return Failure(told if isinstance(told, str) else told.message)
