"""The shipper's process, from its parent's side."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable

import msgspec

from neocloud.ledger.place import LedgerPlace
from neocloud.ledger.report import BACKLOG_BYTES, PATIENCE_S, ShippingOrder, ShippingReport

log = logging.getLogger(__name__)

_AGAIN_S = (0.2, 1.0, 5.0)
"""Before the process is started again."""
_SILENT_S = 10.0
"""Without a report for so long, something is wrong with the process itself."""
_STOP_S = 15.0
_LINE_BYTES = 64 * 1024


class Shipper:
    """Keeps one process shipping the segments of this machine. Made by `start`.

    Several may run for one folder, one a gateway's process: one of them ships, the others pass on
    what it tells.
    """

    def __init__(self, order: ShippingOrder, on_report: Callable[[ShippingReport], None]) -> None:
        self._order = order
        self._on_report = on_report
        self._report = ShippingReport(shipped=0, backlog_bytes=0, lag_s=0.0, failure=None)
        self._heard_s = time.monotonic()
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    @classmethod
    async def start(
        cls,
        place: LedgerPlace,
        on_report: Callable[[ShippingReport], None],
        *,
        backlog_bytes: int = BACKLOG_BYTES,
        patience_s: float = PATIENCE_S,
    ) -> Shipper:
        """Start the process; returns at once.

        Args:
            place: the ledger.
            on_report: told twice a second how it stands, as `Ledger.note_shipping` wants to know.
            backlog_bytes: most that may wait for the store before nothing more is admitted.
            patience_s: how long the store may be away before that.
        """
        order = ShippingOrder(
            url=place.url, segments=str(place.segments.absolute()), backlog_bytes=backlog_bytes,
            patience_s=patience_s,
        )  # fmt: skip
        shipper = cls(order, on_report)
        shipper._tasks = (
            asyncio.create_task(shipper._keep_running()),
            asyncio.create_task(shipper._listen_for_silence()),
        )
        return shipper

    @property
    def report(self) -> ShippingReport:
        """What was told last."""
        return self._report

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return self._process.pid if self._process is not None else None

    async def stop(self) -> None:
        """Let it bring what is left, for some seconds at most, then end it. Idempotent."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await process.wait()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_running(self) -> None:
        starts = 0
        while True:
            started_s = time.monotonic()
            try:
                status = await self._run_once()
            except OSError as error:
                log.error("the ledger's shipper cannot be started: %s", error)  # noqa: TRY400
            else:
                if self._stopping:
                    return
                log.error("the ledger's shipper ended with status %d; it is started again", status)
            if time.monotonic() - started_s > _SILENT_S:
                starts = 0
            await asyncio.sleep(_AGAIN_S[min(starts, len(_AGAIN_S) - 1)])
            starts += 1

    async def _run_once(self) -> int:
        """Run the process until it ends; its status."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "neocloud.ledger.shipping",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            # Ctrl-C goes to all processes of a session: this one ends after its parent has.
            start_new_session=True,
        )  # fmt: skip
        self._process = process
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            # A process that ended before its order is one that ended: it is started again.
            # uvloop calls writing to its closed pipe a RuntimeError.
            with contextlib.suppress(ConnectionError, RuntimeError):
                process.stdin.write(msgspec.json.encode(self._order) + b"\n")
            while line := await process.stdout.readline():
                self._take(line)
            return await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    def _take(self, line: bytes) -> None:
        try:
            report = msgspec.json.decode(line, type=ShippingReport)
        except msgspec.MsgspecError:
            return
        self._heard_s = time.monotonic()
        self._tell(report)

    def _tell(self, report: ShippingReport) -> None:
        self._report = report
        self._on_report(report)

    async def _listen_for_silence(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            silent_s = time.monotonic() - self._heard_s
            if silent_s > _SILENT_S and not self._stopping:
                failure = f"the ledger's shipper has told nothing for {silent_s:.0f} s"
                self._tell(
                    msgspec.structs.replace(
                        self._report, failure=failure, lag_s=max(self._report.lag_s, silent_s)
                    )
                )
