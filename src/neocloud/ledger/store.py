"""Where segments are shipped to: what a store must do, whichever database it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from neocloud.ledger.records import (
    AllocationEvent,
    AttemptEvent,
    CorrectionEvent,
    EnergyEvent,
    UsageEvent,
)
from neocloud.units import Period


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Records that go into a store together. Some may be there already: those change nothing."""

    usage: Sequence[UsageEvent] = ()
    allocation: Sequence[AllocationEvent] = ()
    energy: Sequence[EnergyEvent] = ()
    attempts: Sequence[AttemptEvent] = ()
    corrections: Sequence[CorrectionEvent] = ()


def batch_of(records: Iterable[msgspec.Struct]) -> Batch:
    """Records of any kind, sorted by kind; those that no store keeps are left out."""
    usage: list[UsageEvent] = []
    allocation: list[AllocationEvent] = []
    energy: list[EnergyEvent] = []
    attempts: list[AttemptEvent] = []
    corrections: list[CorrectionEvent] = []
    for record in records:
        if isinstance(record, UsageEvent):
            usage.append(record)
        elif isinstance(record, AllocationEvent):
            allocation.append(record)
        elif isinstance(record, EnergyEvent):
            energy.append(record)
        elif isinstance(record, AttemptEvent):
            attempts.append(record)
        elif isinstance(record, CorrectionEvent):
            corrections.append(record)
    return Batch(
        usage=usage,
        allocation=allocation,
        energy=energy,
        attempts=attempts,
        corrections=corrections,
    )


class View(Protocol):
    """A store as of one moment, whatever is shipped meanwhile. Rows come as a stream.

    Every method raises `StoreError` where the store stops answering.
    """

    def position(self, stream: str) -> int:
        """How far a stream of segments has been shipped; 0 of one that is not known."""
        ...

    def usage(self, period: Period | None = None) -> Iterator[UsageEvent]:
        """Events of requests admitted in the period, or all; by `request_id`, as text by code."""
        ...

    def allocation(self, period: Period | None = None) -> Iterator[AllocationEvent]:
        """Spans that overlap the period, or all; by `start_ns` and `event_id`."""
        ...

    def energy(self, period: Period | None = None) -> Iterator[EnergyEvent]:
        """Spans that overlap the period, or all; by `start_ns` and `event_id`."""
        ...

    def attempts(self, period: Period | None = None) -> Iterator[AttemptEvent]:
        """Tries that began in the period, or all; by `request_id` and `number`."""
        ...

    def corrections(self, period: Period | None = None) -> Iterator[CorrectionEvent]:
        """Corrections of requests that were made in the milliseconds of the period, by their ids,
        or all; by `request_id`, `made_ns` and `correction_id`.
        """  # noqa: D205 - one sentence
        ...

    def span(self) -> Period | None:
        """From the first `admitted_ns` or `start_ns` of usage and allocation to one past the last
        `finished_ns` or `end_ns`; None of an empty store.
        """  # noqa: D205 - one sentence
        ...


class Store(Protocol):
    """Keeps what was shipped. One connection, used by one thread at a time.

    A method that fails leaves the store as it was and may be called again; a connection that broke
    is made anew by the next call.

    Raises:
        StoreError: the store cannot be reached or written at present: try again.
        LedgerError: it is no ledger, or one of another version (`SCHEMA`): trying does not help.
    """

    def create(self) -> None:
        """Make the tables and columns that are missing, and check that what is there is ours."""
        ...

    def position(self, stream: str) -> int:
        """How far a stream of segments has been shipped; 0 of one that is not known."""
        ...

    def apply(self, stream: str, position: int, batch: Batch) -> None:
        """Write a batch and move the position of its stream, durably, both or neither.

        What is there already, by `request_id` (of attempts with `number`), `event_id` or
        `correction_id`, stays as it is. A position never goes back: the higher of the two stays.
        Text may hold any character.
        """
        ...

    def view(self) -> AbstractContextManager[View]:
        """The store as of now; it must be `create`d. Reading does not hold up `apply`."""
        ...

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        ...
