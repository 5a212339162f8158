"""What a ledger holds, as counts and one hash: two ledgers with the same hash hold the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from neocloud.ledger.records import (
    AllocationEvent,
    AttemptEvent,
    CorrectionEvent,
    EnergyEvent,
    UsageEvent,
)


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of what a ledger holds, and a hash of all of it.

    Attributes:
        usage, allocation, energy, attempts, corrections: events of each kind.
        sha256: of all of them, each kind in its own order, as the MessagePack in segments; the same
            in every kind of store.
    """

    usage: int
    allocation: int
    energy: int
    attempts: int
    corrections: int
    sha256: str

    @property
    def events(self) -> int:
        """Of all kinds."""
        return self.usage + self.allocation + self.energy + self.attempts + self.corrections


class Holding(Protocol):
    """What can be read whole: the records of a ledger, or a view of a store."""

    def usage(self) -> Iterator[UsageEvent]:
        """By `request_id`."""
        ...

    def allocation(self) -> Iterator[AllocationEvent]:
        """By start and `event_id`."""
        ...

    def energy(self) -> Iterator[EnergyEvent]:
        """By start and `event_id`."""
        ...

    def attempts(self) -> Iterator[AttemptEvent]:
        """By `request_id` and number."""
        ...

    def corrections(self) -> Iterator[CorrectionEvent]:
        """By `request_id`, `made_ns` and `correction_id`."""
        ...


def contents_of(held: Holding) -> Contents:
    """Read all of it, one record after the other."""
    digest = hashlib.sha256()
    encoder = msgspec.msgpack.Encoder()

    def count(name: bytes, records: Iterable[msgspec.Struct]) -> int:
        digest.update(name)
        number = 0
        for number, record in enumerate(records, 1):  # noqa: B007 - the last is used
            digest.update(encoder.encode(record))
        return number

    return Contents(
        usage=count(b"usage", held.usage()),
        allocation=count(b"allocation", held.allocation()),
        energy=count(b"energy", held.energy()),
        attempts=count(b"attempts", held.attempts()),
        corrections=count(b"corrections", held.corrections()),
        sha256=digest.hexdigest(),
    )
