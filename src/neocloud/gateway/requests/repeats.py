"""Repeated requests: one of the same `Idempotency-Key` is neither served nor billed twice.

The workers of a gateway share a file of marks beside their segments. A mark holds digests, an id
and a status: no answer is kept, so a repeated request is told what became of the first, and is not
given its answer. Requests without the header touch none of this.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from neocloud.gateway.apis.refusals import ApiError
from neocloud.ledger import Status, UsageEvent
from neocloud.units import SECOND_NS
from neocloud.wire import Exchange

log = logging.getLogger(__name__)

IDEMPOTENCY_HEADER = b"idempotency-key"
KEPT_NS = 24 * 3600 * SECOND_NS
"""How long a mark holds, from the begin of its request."""
_MAX_BYTES = 255
_OPEN = "open"
_UNKNOWN = "unknown"
_UNBILLED = frozenset({Status.FAILED, Status.INTERRUPTED})
"""What nobody pays for: the same request may be asked again."""
_TABLE = """
CREATE TABLE IF NOT EXISTS marks (
    key_id TEXT NOT NULL, name BLOB NOT NULL, body BLOB NOT NULL, worker INTEGER NOT NULL,
    begun_ns INTEGER NOT NULL, request_id TEXT NOT NULL, status TEXT NOT NULL,
    PRIMARY KEY (key_id, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS marks_by_begin ON marks (begun_ns);
"""


class Mark(msgspec.Struct, frozen=True):
    """Whose key it is, and digests of the header field, and of path and body."""

    key_id: str
    name: bytes
    body: bytes


class Earlier(msgspec.Struct, frozen=True):
    """The first request of a mark; `request_id` is empty before it is admitted."""

    body: bytes
    request_id: str
    status: str


class MarkFile:
    """The marks of all workers of a gateway, in one SQLite file. Blocks.

    Args:
        path: of the file.
        worker: whose marks are made here.
        started_ns: when the gateway started. What was open before is so no more: whether it was
            billed is not known here.

    Raises:
        sqlite3.Error: as all methods, the file cannot be used.
    """

    def __init__(self, path: Path, worker: int, started_ns: int) -> None:
        self._worker = worker
        self._connection = sqlite3.connect(
            path, timeout=5.0, isolation_level=None, check_same_thread=False
        )
        path.chmod(0o600)
        # Each mark on the disk before the request goes on: a lost one could be billed twice.
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_TABLE)
        stale = "status = ? AND (worker = ? OR begun_ns < ?)"
        given = (_OPEN, worker, started_ns)
        self._connection.execute(f"DELETE FROM marks WHERE request_id = '' AND {stale}", given)  # noqa: S608
        self._connection.execute(
            f"UPDATE marks SET status = '{_UNKNOWN}' WHERE {stale}",  # noqa: S608
            given,
        )

    def begin(self, mark: Mark, now_ns: int) -> Earlier | None:
        """Make a mark; the earlier one, if there is one that holds."""
        run = self._connection.execute
        run("DELETE FROM marks WHERE begun_ns < ? AND status <> ?", (now_ns - KEPT_NS, _OPEN))
        cursor = run(
            "INSERT INTO marks VALUES (?, ?, ?, ?, ?, '', ?) ON CONFLICT DO NOTHING",
            (mark.key_id, mark.name, mark.body, self._worker, now_ns, _OPEN),
        )
        if cursor.rowcount:
            return None
        row = run(
            "SELECT body, request_id, status FROM marks WHERE key_id = ? AND name = ?",
            (mark.key_id, mark.name),
        ).fetchone()
        return Earlier(*row) if row is not None else self.begin(mark, now_ns)

    def tell(self, mark: Mark, request_id: str, status: str) -> None:
        """Note what became of the request."""
        self._connection.execute(
            "UPDATE marks SET request_id = ?, status = ? WHERE key_id = ? AND name = ?",
            (request_id, status, mark.key_id, mark.name),
        )

    def forget(self, mark: Mark) -> None:
        """The request was not admitted, or costs nothing: it may come again."""
        self._connection.execute(
            "DELETE FROM marks WHERE key_id = ? AND name = ?", (mark.key_id, mark.name)
        )

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


class Repeats:
    """Decides for each request with an `Idempotency-Key` whether it is the first.

    Args:
        marks: the file; used in a thread of its own, in order.
    """

    def __init__(self, marks: MarkFile) -> None:
        self._marks = marks
        self._thread = ThreadPoolExecutor(1, "repeats")
        self._waiting: dict[Exchange, Mark] = {}
        self._open: dict[str, Mark] = {}

    async def first(self, exchange: Exchange, key_id: str, now_ns: int) -> bool:
        """True if no request of this key had the same `Idempotency-Key` within 24 hours.

        False if the client has gone meanwhile.

        Raises:
            ApiError: 409, there was one, told with its id and status; 422, there was one that asked
                for something else; 400, the field is too long; 503, it cannot be told.
        """
        name = exchange.headers[IDEMPOTENCY_HEADER]
        if not 0 < len(name) <= _MAX_BYTES:
            why = f"Idempotency-Key must have 1 to {_MAX_BYTES} bytes"
            raise ApiError(400, why, "bad_idempotency_key")
        loop = asyncio.get_running_loop()
        try:
            mark, earlier = await loop.run_in_executor(
                self._thread, self._begin, key_id, name, exchange, now_ns
            )
        except sqlite3.Error as error:
            log.warning("repeated requests cannot be told: %s", error)
            raise ApiError(
                503, "whether this Idempotency-Key was used cannot be told at present", "not_ready"
            ) from None
        if earlier is not None:
            raise _repeated(mark, earlier)
        self._waiting[exchange] = mark
        if exchange.closed:
            self.dropped(exchange)
            return False
        return True

    def _begin(
        self, key_id: str, name: bytes, exchange: Exchange, now_ns: int
    ) -> tuple[Mark, Earlier | None]:
        """In the thread: a body may be large."""
        mark = Mark(key_id, _digest(name), _digest(exchange.path.encode() + b"\0" + exchange.body))
        return mark, self._marks.begin(mark, now_ns)

    def dropped(self, exchange: Exchange) -> None:
        """A request was refused, or its client has gone before it was admitted."""
        mark = self._waiting.pop(exchange, None)
        if mark is not None:
            self._do(self._marks.forget, mark)

    def admitted(self, exchange: Exchange, request_id: str) -> None:
        """A request has its id from now on."""
        mark = self._waiting.pop(exchange, None)
        if mark is not None:
            self._open[request_id] = mark
            self._do(self._marks.tell, mark, request_id, _OPEN)

    def ended(self, event: UsageEvent) -> None:
        """A request has its usage event."""
        mark = self._open.pop(event.request_id, None)
        if mark is None:
            return
        if event.status in _UNBILLED:
            self._do(self._marks.forget, mark)
        else:
            self._do(self._marks.tell, mark, event.request_id, str(event.status))

    async def close(self) -> None:
        """Write what is to be written, and let go of the file."""
        self._do(self._marks.close)
        await asyncio.to_thread(self._thread.shutdown)

    def _do(self, work: Callable[..., None], *given: object) -> None:
        self._thread.submit(_logged, work, *given)


def _logged(work: Callable[..., None], *given: object) -> None:
    try:
        work(*given)
    except sqlite3.Error as error:
        log.warning("what became of a request cannot be noted for its repetition: %s", error)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _repeated(mark: Mark, earlier: Earlier) -> ApiError:
    if earlier.body != mark.body:
        return ApiError(
            422, "this Idempotency-Key was used within 24 hours for another request",
            "idempotency_key_reused",
        )  # fmt: skip
    of = f"request {earlier.request_id}" if earlier.request_id else "the first request"
    if earlier.status == _OPEN:
        why = f"{of} with this Idempotency-Key is still under way; this one was not served"
        return ApiError(409, why, "idempotency_key_in_use", retry_after_s=1.0)
    became = (
        "may have been billed: its usage event says so"
        if earlier.status == _UNKNOWN
        else f"has ended as {earlier.status} and is billed"
    )
    return ApiError(
        409,
        f"{of} with this Idempotency-Key {became}; answers are not kept, so it cannot be given "
        "again. This one was not served and costs nothing; to have it answered and billed anew, "
        "send another Idempotency-Key, or none",
        "idempotency_key_used",
    )
