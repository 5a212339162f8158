"""From tokens that a replica generates to bytes that a client takes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from neocloud.engines.emulated.wording import JSON_HEADERS, STREAM_HEADERS, Wording
from neocloud.wire import Exchange


class Delivery(ABC):
    """One answer on its way; told of each token at the moment it is generated."""

    __slots__ = ("exchange", "wording")

    def __init__(self, exchange: Exchange, wording: Wording) -> None:
        self.exchange = exchange
        self.wording = wording

    @abstractmethod
    def begin(self) -> None:
        """The request was taken."""

    @abstractmethod
    def token(self) -> None:
        """One more token is there."""


class StreamedDelivery(Delivery):
    """An event a token.

    The engine does not wait for a client that reads slowly, as real ones do not. What such a client
    has not taken yet is kept as a count, not as bytes: the events are worded when there is room.
    """

    __slots__ = ("_generated", "_paused", "_written")

    def __init__(self, exchange: Exchange, wording: Wording) -> None:
        super().__init__(exchange, wording)
        self._generated = 0
        self._written = 0
        self._paused = False

    def begin(self) -> None:
        """Send the head, so that the client knows that it is waited on."""
        self.exchange.start(200, STREAM_HEADERS)
        self.exchange.on_back_pressure(self._pause, self._resume)

    def token(self) -> None:
        """Send its event, unless the client is behind."""
        self._generated += 1
        self._write()

    def _write(self) -> None:
        exchange, wording = self.exchange, self.wording
        while self._written < self._generated and not self._paused:
            event = wording.token(self._written)
            self._written += 1
            if self._written == wording.output_tokens:
                exchange.finish(event + wording.last())
            else:
                exchange.write(event)

    def _pause(self) -> None:
        self._paused = True

    def _resume(self) -> None:
        self._paused = False
        self._write()


class WholeDelivery(Delivery):
    """The whole answer with its last token."""

    __slots__ = ("_generated",)

    def __init__(self, exchange: Exchange, wording: Wording) -> None:
        super().__init__(exchange, wording)
        self._generated = 0

    def begin(self) -> None:
        """Nothing is sent before the answer is whole."""

    def token(self) -> None:
        """Count it; send the answer if it was the last."""
        self._generated += 1
        if self._generated == self.wording.output_tokens:
            self.exchange.respond(200, JSON_HEADERS, self.wording.whole())
