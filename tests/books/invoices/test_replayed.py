"""From ledger to books: events told again and again, in any order, through crashes: the same hash.

Each event goes through segments, shipper and store as in a gateway; the shipper and the process
that closes months end themselves like a `kill -9` before a statement picked by chance.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from neocloud.books.accounts import BooksContents, SqliteBooks
from neocloud.ledger import Admission, AllocationEvent, Ledger, Reader, Status, UsageEvent
from neocloud.ledger.contents import Contents, contents_of
from neocloud.units import HOUR_NS

from .shop import TEXT, held, usage

MONTHS = ("2025-01", "2025-02", "2025-03")
TENANTS = ("acme", "rhein")
TIMES = 3
"""How often each event is told, each time by another worker."""

# Reads `ship STATEMENTS` and `close TENANT MONTH STATEMENTS`; a child does it, and is killed before
# the statement of SQLite of that number. Told is how it ended.
_KILLED = """
import os, signal, sys
from contextlib import closing
from pathlib import Path
from neocloud.books.accounts import sqlite as books
from neocloud.cli.invoice import command
from neocloud.ledger import sqlite as store
from neocloud.ledger.place import place_of_file
from neocloud.ledger.carrier import Carrier

def killed_after(left, owner, name):
    plain = getattr(owner, name)

    def counted(statement):
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def connect(self):
        connection = plain(self)
        connection.set_trace_callback(counted)
        return connection

    setattr(owner, name, connect)

def run(verb, *asked):
    left = int(asked[-1])
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if verb == "ship":
        killed_after(left, store.SqliteStore, "_open")
        place = place_of_file(Path("ledger.db"))
        with closing(place.connect()) as connected:
            carrier = Carrier(connected, place.segments)
            while carrier.round():
                pass
    else:
        killed_after(left, books.SqliteBooks, "_connect")
        tenant, month = asked[:2]
        command.main(["cloud.yaml", "--tenant", tenant, "--period", month, "--close"],
                     standalone_mode=False)
    os._exit(0)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        run(*line.split())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
Event = UsageEvent | AllocationEvent
Phases = Sequence[Sequence[Event]]


def cloud_text() -> str:
    tiers = "{input: 0.26, output: 0.55, tiers: [{above_mtok: 3, input: 0.2, output: 0.5}]}"
    acme = (
        ", tax_rate: 0.07, minimum_spend_per_month: 900, prepaid_credits: [{name: top-up, "
        "amount: 40, date: 2025-01-01}, {name: start, amount: 5, date: 2025-01-01, "
        "expires: 2025-02-14, priority: 1}]"
    )
    contract = (
        "contracts:\n  - {name: half, tenant: acme, accelerators: 4, price: 2, take_or_pay: 0.5, "
        "carry_over_months: 2, start: 2025-01-01, term_months: 12}\n"
    )
    return TEXT.replace("ACME", acme).replace("PRICES", tiers) + contract


def phases() -> Phases:
    """What becomes known before each month is closed: most of it then, some a month late."""
    chance = random.Random(11)
    found: list[list[Event]] = [[] for _ in MONTHS]
    for number in range(90):
        month = number % len(MONTHS)
        known = min(len(MONTHS) - 1, month + (chance.random() < 0.2))
        found[known].append(
            usage(
                f"{MONTHS[month]}-{chance.randint(1, 28):02d}", number,
                tenant=chance.choice(TENANTS), input_tokens=chance.randrange(10**6),
                output_tokens=chance.randrange(10**6), emulated=chance.random() < 0.1,
                status=chance.choice((Status.COMPLETED, Status.ABORTED, Status.FAILED)),
            )
        )  # fmt: skip
    for month, known in ((0, 0), (0, 1), (1, 1), (2, 2)):
        span = held(f"{MONTHS[month]}-1{known}", 200 + 50 * known, 4, "contract/half")
        found[known].append(span)
    return found


def tell(path: Path, events: Sequence[Event], worker: int) -> None:
    """Write events as a worker of a gateway does."""
    ledger = Ledger(path, worker=worker, now_ns=HOUR_NS, deliver=lambda call: call())
    for e in events:
        if isinstance(e, AllocationEvent):
            ledger.record_allocation(e)
            continue
        ledger.admit(
            Admission(
                request_id=e.request_id, admitted_ns=e.admitted_ns, tenant=e.tenant,
                key_id=e.key_id, model=e.model, user_metro="", prompt_bytes=0,
                max_output_tokens=0,
            )
        )  # fmt: skip
        ledger.settle(e, None)
    ledger.close()


class Killer:
    """Does what is asked in a process that may die of it."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _KILLED], cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def __enter__(self) -> Killer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.__exit__(None, None, None)

    def __call__(self, what: str, statements: int) -> bool:
        """True if it died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what} {statements}\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        assert status in (0, -signal.SIGKILL)
        return status != 0


def lived(folder: Path, chance: random.Random | None) -> tuple[Contents, BooksContents, int]:
    """Months of a ledger and their books; with `chance` through repetition, disorder and crashes.

    Returns:
        What ledger and books hold, and how many processes died.
    """
    folder.mkdir()
    (folder / "cloud.yaml").write_text(cloud_text())
    path, died = folder / "ledger.db", 0
    told: list[Event] = []
    with Killer(folder) as ask:
        for month, events in zip(MONTHS, phases(), strict=True):
            if chance is None:
                tell(path, events, 0)
                ask("ship", 10**6)
            else:
                told += events
                for worker in range(TIMES):
                    again = [*events, *chance.sample(told, len(told) // 3)]
                    unique = {msgspec.json.encode(e): e for e in again}
                    mixed = list(unique.values())
                    chance.shuffle(mixed)
                    tell(path, mixed, worker)
                    died += ask("ship", chance.randrange(40))
            for tenant in TENANTS:
                close = f"close {tenant} {month}"
                for _ in range(TIMES if chance else 0):
                    assert chance is not None
                    died += ask(close, chance.randrange(150)) + ask("ship", chance.randrange(10))
                assert not ask(close, 10**6)
    books = SqliteBooks(folder / "ledger.db.books")
    assert books.check() == ()
    found = contents_of(Reader(path)), books.contents(), died
    books.close()
    return found


@pytest.mark.slow
def test_events_told_again_in_any_order_through_crashes_make_the_same_books(tmp_path: Path) -> None:
    ledger, books, _ = lived(tmp_path / "plain", None)
    assert (ledger.usage, ledger.allocation, books.documents) == (90, 4, 6)
    for seed in (1, 2):
        again = lived(tmp_path / str(seed), random.Random(seed))
        assert again[:2] == (ledger, books)
        assert again[2] > 10, "some have died"
