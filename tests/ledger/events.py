"""Records to write, and a ledger whose callbacks the test runs itself."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from neocloud.ledger import (
    Admission,
    AllocationEvent,
    AttemptEvent,
    CorrectionEvent,
    EnergyEvent,
    Ledger,
    Status,
    UsageEvent,
)
from neocloud.units import new_request_id

START_NS = 1_790_000_000_000_000_000
WAIT_S = 30.0
"""How long a test waits for what must come; only a failing test waits so long."""


def request_id(number: int, time_ns: int = START_NS) -> str:
    return new_request_id(time_ns, number << 12)


def admission(number: int, time_ns: int = START_NS, **changed: object) -> Admission:
    made = Admission(
        request_id=request_id(number, time_ns), admitted_ns=time_ns, tenant="acme", key_id="k1",
        model="llama", user_metro="berlin", prompt_bytes=4001, max_output_tokens=100,
        price_version="p1",
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def usage(number: int, time_ns: int = START_NS, **changed: object) -> UsageEvent:
    made = UsageEvent(
        request_id=request_id(number, time_ns), tenant="acme", key_id="k1", model="llama",
        site="frankfurt", pool="h100", replica="frankfurt/h100/llama/0", accelerator="h100-sxm",
        engine="emulated", user_metro="berlin", input_tokens=1000 + number, cached_tokens=16,
        output_tokens=number, admitted_ns=time_ns, first_token_ns=time_ns + 5,
        finished_ns=time_ns + 9, status=Status.COMPLETED, attempts=1, streamed=number % 2 == 0,
        estimated=False, emulated=True, price_version="p1",
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def allocation(
    start_ns: int, end_ns: int, holder: str = "r0", **changed: object
) -> AllocationEvent:
    made = AllocationEvent(
        event_id=f"{holder}@{start_ns}", start_ns=start_ns, end_ns=end_ns, site="frankfurt",
        pool="h100", model="llama", tenant="", holder=holder, accelerator="h100-sxm",
        accelerators=2, purpose="inference", busy_s=1.5, emulated=True,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def energy(start_ns: int, end_ns: int, holder: str = "r0", **changed: object) -> EnergyEvent:
    made = EnergyEvent(
        event_id=f"{holder}@{start_ns}", start_ns=start_ns, end_ns=end_ns, site="frankfurt",
        pool="h100", model="llama", holder=holder, kwh=0.25, modelled=True, emulated=True,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def attempt(number: int, tried: int = 1, **changed: object) -> AttemptEvent:
    made = AttemptEvent(
        request_id=request_id(number), number=tried, replica="frankfurt/h100/llama/1",
        fault="connect", started_ns=START_NS + number, ended_ns=START_NS + number + 5,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def correction(number: int, made: int = 1, **changed: object) -> CorrectionEvent:
    """The `made`th correction of a request: its output is ten times that."""
    values = CorrectionEvent(
        correction_id=f"c{number}-{made}", request_id=request_id(number), input_tokens=900,
        cached_tokens=0, output_tokens=10 * made, reasoning_tokens=0, status=Status.COMPLETED,
        reason="counted twice", made_ns=START_NS + 10**12 + made, made_by="auditor",
    )  # fmt: skip
    return msgspec.structs.replace(values, **changed)


class Desk:
    """Takes what the ledger's thread hands over, and runs it in the test's thread."""

    def __init__(self) -> None:
        self._handed: queue.Queue[Callable[[], None]] = queue.Queue()
        self.done: list[str] = []
        self.batches = 0

    def deliver(self, callback: Callable[[], None]) -> None:
        self._handed.put(callback)

    def noted(self, name: str) -> Callable[[], None]:
        """A callback that writes a name down."""
        return lambda: self.done.append(name)

    def run_until(self, count: int) -> None:
        """Run callbacks until so many names are noted."""
        while len(self.done) < count:
            self._handed.get(timeout=WAIT_S)()
            self.batches += 1

    @property
    def idle(self) -> bool:
        return self._handed.empty()


@contextmanager
def opened(
    path: Path, desk: Desk | None = None, *, worker: int = 0, now_ns: int = START_NS
) -> Iterator[Ledger]:
    ledger = Ledger(path, worker=worker, now_ns=now_ns, deliver=(desk or Desk()).deliver)
    try:
        yield ledger
    finally:
        ledger.close()


class Gate:
    """Holds a function until it is let through, and counts its calls."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._open = threading.Event()
        self.entered = threading.Event()
        self.calls = 0

    def __call__(self, *arguments: object) -> object:
        self.calls += 1
        self.entered.set()
        assert self._open.wait(WAIT_S)
        return self._function(*arguments)

    def let_through(self) -> None:
        self._open.set()
