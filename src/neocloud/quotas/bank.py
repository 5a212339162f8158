"""What a worker and the store say to each other.

A worker tells what it keeps as absolute numbers and gets what is granted on top. A message that
was lost or came twice is mended by the next one: what the store then believes is again what the
worker says. Only `back` is a difference; the sequence number lets it count at most once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from neocloud.quotas.records import TenantLimit


class Worker(msgspec.Struct, frozen=True):
    """Who speaks.

    Attributes:
        name: the worker's id, the same after a restart.
        run: random, new with each start.
        expected: how many workers the caller has started, itself included.
        lease_s: how long a worker counts as alive that is not heard of.
        short_s: how long others are told that somebody was short of something.
    """

    name: str
    run: str
    expected: int
    lease_s: float
    short_s: float


class RateAsk(msgspec.Struct, frozen=True):
    """One rate: `kept` is unspent and stays leased, `back` goes back (below zero: a debt).

    `least` is what a waiting request lacks, 0 if none waits; `most` what would be useful.
    """

    kept: float = 0.0
    back: float = 0.0
    least: float = 0.0
    most: float = 0.0


class SlotAsk(msgspec.Struct, frozen=True):
    """Concurrency: `kept` slots stay leased, `spare` of them without a request."""

    kept: int = 0
    spare: int = 0
    least: int = 0
    most: int = 0


class MoneyAsk(msgspec.Struct, frozen=True):
    """A month's budget: `kept` is used, held and spare together."""

    kept: int = 0
    used: int = 0
    spare: int = 0
    least: int = 0
    most: int = 0


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant's part of an exchange.

    Attributes:
        tenant: its id.
        month: the month that `money` is about.
        limit: the limits that hold; kinds without one are left alone.
        touched_s: how long ago this worker first took from its lease since the last exchange. A
            lease that lay untouched before was a full bucket, which does not fill further.
    """

    tenant: str
    month: str
    limit: TenantLimit
    touched_s: float = 0.0
    requests: RateAsk = RateAsk()
    tokens: RateAsk = RateAsk()
    slots: SlotAsk = SlotAsk()
    money: MoneyAsk = MoneyAsk()


class RateGrant(msgspec.Struct, frozen=True):
    """What came on top, what the store has left, what others have unspent, who is short of it."""

    granted: float = 0.0
    pool: float = 0.0
    elsewhere: float = 0.0
    short: bool = False


class CountGrant(msgspec.Struct, frozen=True):
    """The same for slots and money, in whole numbers."""

    granted: int = 0
    pool: int = 0
    elsewhere: int = 0
    short: bool = False


class Grant(msgspec.Struct, frozen=True):
    """The answer to an `Ask`; `spent` is what all workers told to have used in the month."""

    requests: RateGrant = RateGrant()
    tokens: RateGrant = RateGrant()
    slots: CountGrant = CountGrant()
    money: CountGrant = CountGrant()
    spent: int = 0


class Answer(msgspec.Struct, frozen=True):
    """The answer to an exchange.

    Attributes:
        grants: one for each ask, in its order.
        workers: how many are alive, or expected if that is more.
        short: tenants of which some worker was short lately.
        forgotten: the store did not know this worker: it has lost what it held.
    """

    grants: tuple[Grant, ...]
    workers: int
    short: frozenset[str]
    forgotten: bool


class Bank(Protocol):
    """A store that several workers share. Each method may raise `BankError`."""

    async def open(
        self, worker: Worker, month: str, tenants: Sequence[str], spent: Mapping[str, int] | None
    ) -> None:
        """Begin a run.

        What an earlier run under the same name had leased counts as spent, or, where `spent` says
        by tenant what this worker's own ledger shows for the month, by that.
        """

    async def exchange(self, worker: Worker, sequence: int, asks: Sequence[Ask]) -> Answer:
        """Tell what is kept and get more; `sequence` rises with each call.

        Raises:
            SupersededError: another run has begun under this name.
        """

    async def reconcile(self, tenant: str, month: str, spent: int, dead_s: float) -> None:
        """Set what a tenant has spent in a month; leases of workers silent for `dead_s` end."""

    async def leave(self, worker: Worker) -> None:
        """End a run; its last exchange has told what it used."""

    async def close(self) -> None:
        """Let go of file or connection."""
