"""What the ledger costs: processor time a request, latency of a commit, rows shipped a second.

    python bench/ledger/cost.py [FOLDER]

Everything is written in FOLDER (the present one by default), so that its disk is measured.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import uvloop

from neocloud.ledger import Admission, Ledger, ProgressTable, Reader, Status, UsageEvent
from neocloud.ledger.carrier import Carrier
from neocloud.ledger.segments import segment_files, worker_folder
from neocloud.ledger.sqlite import SqliteStore
from neocloud.units import new_request_id

START_NS = 1_790_000_000_000_000_000


def admission(number: int) -> Admission:
    return Admission(
        request_id=new_request_id(START_NS + number * 50_000, number << 12),
        admitted_ns=START_NS + number * 50_000, tenant="acme", key_id="0a1b2c3d4e5f",
        model="llama-3.3-70b", user_metro="frankfurt", prompt_bytes=4000, max_output_tokens=1000,
        price_version="b1946ac92492d234", site="frankfurt", pool="h100",
        replica="frankfurt/h100/llama-3.3-70b/0", accelerator="h100-sxm", engine="vllm",
    )  # fmt: skip


def usage(a: Admission) -> UsageEvent:
    return UsageEvent(
        request_id=a.request_id, tenant=a.tenant, key_id=a.key_id, model=a.model, site=a.site,
        pool=a.pool, replica=a.replica, accelerator=a.accelerator, engine=a.engine,
        user_metro=a.user_metro, input_tokens=1000, cached_tokens=512, output_tokens=200,
        admitted_ns=a.admitted_ns, first_token_ns=a.admitted_ns + 10**7,
        finished_ns=a.admitted_ns + 10**9, status=Status.COMPLETED, attempts=1, streamed=False,
        estimated=False, emulated=False, price_version=a.price_version,
    )  # fmt: skip


class Loop:
    """A closed loop of clients, each asking anew when its event is durable.

    Between, the loop works as a gateway would, `work_us` before and after the engine's answer,
    which takes `answer_s`.
    """

    def __init__(self, folder: Path, clients: int, requests: int, work_us: float, answer_s: float):
        self.folder, self.clients, self.work_s, self.answer_s = (
            folder, clients, work_us * 1e-6, answer_s,
        )  # fmt: skip
        self.admissions = [admission(n) for n in range(requests)]
        self.events = [usage(a) for a in self.admissions]

    def run(self, *, metered: bool) -> tuple[float, float, float, float]:
        """Requests a second, processor microseconds a request, median latency, records a commit."""
        return uvloop.run(self._run(metered))

    async def _run(self, metered: bool) -> tuple[float, float, float, float]:
        loop = asyncio.get_running_loop()
        self.ledger = None
        if metered:
            self.ledger = Ledger(
                self.folder / "ledger.db", worker=0, now_ns=START_NS,
                deliver=loop.call_soon_threadsafe,
            )  # fmt: skip
        self.over = loop.create_future()
        self.loop, self.begun, self.done, self.latencies = loop, 0, 0, []
        start_s, cpu_s = time.perf_counter(), time.process_time()
        for _ in range(self.clients):
            self._begin()
        await self.over
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - start_s
        count = len(self.events)
        records = 0.0
        if self.ledger is not None:
            records = self.ledger.committed / self.ledger.commits
            await asyncio.to_thread(self.ledger.close)
        self.latencies.sort()
        return count / wall_s, cpu_s / count * 1e6, self.latencies[count // 2] * 1e6, records

    def _work(self) -> None:
        until = time.perf_counter() + self.work_s
        while time.perf_counter() < until:
            pass

    def _begin(self) -> None:
        number = self.begun
        if number == len(self.events):
            return
        self.begun += 1
        start_s = time.perf_counter()
        if self.ledger is not None:
            self.ledger.admit(self.admissions[number])
        self._work()

        def answered() -> None:
            self._work()
            if self.ledger is not None:
                self.ledger.settle(self.events[number], durable)
            else:
                self.loop.call_soon(durable)

        def durable() -> None:
            self.latencies.append(time.perf_counter() - start_s)
            self.done += 1
            if self.done == len(self.events):
                self.over.set_result(None)
            self._begin()

        if self.answer_s:
            self.loop.call_later(self.answer_s, answered)
        else:
            self.loop.call_soon(answered)


def measure_requests(folder: Path) -> None:
    print("clients  answer  req/s bare  req/s metered  CPU us a request  p50 us  records a commit")
    for clients, answer_s in ((1, 0.0), (8, 0.0), (32, 0.001), (128, 0.001), (128, 0.003)):
        loop = Loop(folder, clients, 4_000 if clients == 1 else 30_000, 20.0, answer_s)
        gc.collect()
        bare, bare_us, _, _ = loop.run(metered=False)
        rate, cost_us, median_us, records = loop.run(metered=True)
        print(
            f"{clients:7}  {answer_s * 1e3:4.0f}ms {bare:11,.0f} {rate:14,.0f} "
            f"{cost_us - bare_us:17.1f} {median_us:7.0f} {records:17.1f}"
        )


def measure_disk(folder: Path) -> None:
    descriptor = os.open(folder / "probe", os.O_RDWR | os.O_CREAT)
    times = []
    for _ in range(1000):
        start_s = time.perf_counter()
        os.write(descriptor, bytes(300))
        os.fsync(descriptor)
        times.append(time.perf_counter() - start_s)
    os.close(descriptor)
    print(f"append of 300 bytes and fsync on this disk: p50 {sorted(times)[500] * 1e6:.0f} us")


def measure_progress(folder: Path) -> None:
    table = ProgressTable(folder / "progress")
    name = admission(1).request_id
    start_s = time.process_time()
    slot = table.take(name)
    for number in range(200_000):
        table.tell(slot, 1000, 512, number, True)
    tell_us = (time.process_time() - start_s) / 200_000 * 1e6
    start_s = time.process_time()
    for _ in range(50_000):
        table.free(table.take(name))
    take_us = (time.process_time() - start_s) / 50_000 * 1e6
    print(f"progress: tell {tell_us:.2f} us, take and free {take_us:.2f} us")


def measure_shipping(folder: Path, count: int = 300_000) -> None:
    path = folder / "shipped.db"
    ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=lambda call: call())
    for number in range(count):
        a = admission(number)
        ledger.admit(a)
        ledger.settle(usage(a), None)
    ledger.close()
    bytes_ = sum(
        file.stat().st_size
        for file in segment_files(worker_folder(folder / "shipped.db.segments", 0))
    )
    print(f"segments: {bytes_ / count:.0f} bytes a request, admission and event")
    gc.collect()
    start_s = time.perf_counter()
    found = sum(1 for _ in Reader(path).usage())
    print(f"read, nothing shipped: {found / (time.perf_counter() - start_s):,.0f} events/s")
    store = SqliteStore(path)
    carrier = Carrier(store, folder / "shipped.db.segments")
    start_s, cpu_s = time.perf_counter(), time.process_time()
    while carrier.round():
        pass
    wall_s, cpu_s = time.perf_counter() - start_s, time.process_time() - cpu_s
    print(
        f"shipped into SQLite: {count / wall_s:,.0f} rows/s, {cpu_s / count * 1e6:.1f} us of "
        f"processor time a row, {path.stat().st_size / count:.0f} bytes a row"
    )
    store.close()
    start_s = time.perf_counter()
    found = sum(1 for _ in Reader(path).usage())
    print(f"read, all shipped: {found / (time.perf_counter() - start_s):,.0f} events/s")


def main() -> None:
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    folder = Path(tempfile.mkdtemp(dir=where, prefix="ledger-bench-"))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"Python {sys.version.split()[0]}, msgspec {msgspec.__version__}, one core")
    try:
        measure_disk(folder)
        measure_requests(folder)
        measure_progress(folder)
        measure_shipping(folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
