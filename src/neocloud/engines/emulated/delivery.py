"""From tokens that a replica generates to bytes that a client takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from neocloud.engines.emulated.faults import NONE, Faults
from neocloud.engines.emulated.wording import (
    JSON_HEADERS,
    SHUT_DOWN,
    STREAM_HEADERS,
    Wording,
    error_body,
    error_event,
)
from neocloud.wire import Exchange


class Delivery(ABC):
    """What becomes of one request, which may have several sequences; told of each token."""

    __slots__ = ("abandon", "exchange")

    generates = True
    """Its tokens are text; else the one that ends a prompt stands for something else."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.abandon: Callable[[], None] = lambda: None
        """Set by the replica: stop working on the request."""

    @abstractmethod
    def reason(self, index: int) -> str:
        """Why a sequence ends, once it has generated all its tokens."""

    @abstractmethod
    def begin(self) -> None:
        """The request was taken."""

    @abstractmethod
    def found(self, index: int, cached_tokens: int) -> None:
        """So many of its prompt tokens were in the prefix cache; before its first token."""

    @abstractmethod
    def token(self, index: int) -> None:
        """One more token of a sequence is there."""

    @abstractmethod
    def fail(self) -> None:
        """The engine ends before the answer is whole."""


class _Answer(Delivery):
    """An answer in words."""

    __slots__ = ("_open", "generated", "wording")

    def __init__(self, exchange: Exchange, wording: Wording) -> None:
        super().__init__(exchange)
        self.wording = wording
        self.generated = [0] * len(wording.voices)
        self._open = len(wording.voices)

    def reason(self, index: int) -> str:
        """As it is told: but a tool call ends as a text that has said all."""
        told = self.wording.voices[index].finish_reason
        return "length" if told == "length" else "stop"

    def found(self, index: int, cached_tokens: int) -> None:
        """The first sequence speaks for all: the others find what it has left."""
        if index == 0:
            self.wording.cached_tokens = cached_tokens


class StreamedDelivery(_Answer):
    """An event a token, or every few tokens.

    The engine does not wait for a client that reads slowly, as real ones do not. What such a client
    has not taken yet is kept as a count, not as bytes: the events are worded when there is room.

    Args:
        exchange: to answer.
        wording: of the answer.
        interval: tokens of an event; the first and the last come at once, as in vLLM.
        faults: of the replica.
    """

    __slots__ = ("_error", "_events", "_faults", "_interval", "_paused", "_struck", "_written")

    def __init__(self, exchange: Exchange, wording: Wording, interval: int, faults: Faults) -> None:
        super().__init__(exchange, wording)
        self._interval = interval
        self._faults = faults
        self._written = [0] * len(wording.voices)
        self._events = 0
        self._paused = self._struck = False

    def begin(self) -> None:
        """Send the head, so that the client knows that it is waited on."""
        self.exchange.start(200, STREAM_HEADERS)
        if self._faults.close_after_stream:
            self.exchange.keep_alive = False  # the head has left without a word of it
        self.exchange.on_back_pressure(self._pause, self._resume)

    def token(self, index: int) -> None:
        """Send its event, unless more is to go with it, or the client is behind."""
        self.generated[index] += 1
        self._write(index)

    def fail(self) -> None:
        """An error within the stream, and an end as if all were well."""
        self.exchange.finish(error_event())

    def _write(self, index: int) -> None:
        wording, all_tokens = self.wording, self.wording.voices[index].speech.tokens
        generated = self.generated[index]
        while (first := self._written[index]) < generated and not self._paused:
            end = first + (self._interval if first else 1)
            if end > generated:
                if generated < all_tokens:
                    return
                end = generated
            if self._faults is not NONE and self._strikes():
                return
            self._written[index] = end
            event = wording.tokens(index, first, end)
            self._events += bool(event)
            if end < all_tokens:
                self.exchange.write(event)
                continue
            event += wording.ending(index)
            self._open -= 1
            if self._open:
                self.exchange.write(event)
            else:
                self.exchange.finish(event + wording.last())

    def _strikes(self) -> bool:
        """Do what the faults say at this event; True if it is not to come, and none after it."""
        faults, events = self._faults, self._events
        if events not in (faults.stall_after, faults.error_after, faults.truncate_after):
            return False
        self._paused = self._struck = True
        if faults.stall_after != events:
            self.abandon()
            if faults.error_after == events:
                self.fail()
            else:
                self.exchange.abort()
        return True

    def _pause(self) -> None:
        self._paused = True

    def _resume(self) -> None:
        self._paused = self._struck
        for index in range(len(self._written)):
            self._write(index)


class WholeDelivery(_Answer):
    """The whole answer with its last token."""

    __slots__ = ()

    def begin(self) -> None:
        """Nothing is sent before the answer is whole."""

    def token(self, index: int) -> None:
        """Count it; send the answer if it was the last of all."""
        self.generated[index] += 1
        if self.generated[index] == self.wording.voices[index].speech.tokens:
            self._open -= 1
            if not self._open:
                self.exchange.respond(200, JSON_HEADERS, self.wording.whole())

    def fail(self) -> None:
        """The answer is an error."""
        self.exchange.respond(500, JSON_HEADERS, error_body(500, SHUT_DOWN))
