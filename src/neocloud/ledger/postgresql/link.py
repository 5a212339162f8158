"""One connection to a PostgreSQL server: made when needed, made anew after it broke, never patient.

A server that is gone tells so by itself. One that is stalled (its machine swaps, its disk hangs,
it was stopped) says nothing and keeps the connection open: for that each step has a time within
which the server must answer, after which the connection is cut from this side.

The URL may hold a password. It appears in no message: what the driver says never has it, and what
is shown as the store's name is made from the parts that are no secret.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from neocloud.ledger.errors import LedgerError, StoreError

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql://", "postgres://")
CONNECT_S = 3.0
"""Within this a server answers when it is called (psycopg takes no less than 2)."""
ANSWER_S = 10.0
"""Within this a statement that writes is answered; on a healthy server it takes milliseconds."""

_BEGIN = (
    "BEGIN; SET LOCAL statement_timeout = {ms}; SET LOCAL lock_timeout = {ms}; "
    # A segment is deleted once it is shipped: a commit must be on the server's disk, whatever the
    # server's or the role's default is.
    "SET LOCAL synchronous_commit = on; SET LOCAL search_path = neocloud, pg_temp"
)
_BEGIN_VIEW = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
    "SET LOCAL statement_timeout = {ms}; SET LOCAL search_path = neocloud, pg_temp"
)


def is_postgresql(url: str) -> bool:
    """True of a URL that names a PostgreSQL database."""
    return url.startswith(SCHEMES)


def shown(url: str) -> str:
    """The URL without its secrets: user, host, port and database.

    Raises:
        LedgerError: what is secret in it and what is not cannot be told apart.
    """
    authority, _, rest = url.partition("://")[2].partition("/")
    if not is_postgresql(url) or authority.count("@") > 1 or "?" in authority or "@" in rest:
        # A password with one of these characters would be read as host or database, by libpq too,
        # and be in every message.
        raise LedgerError(
            "the ledger's URL cannot be read: write postgresql://user@host:5432/database, special "
            "characters of names and password as %40 and the like"
        )
    user, _, host = authority.rpartition("@")
    user = f"{unquote(user.partition(':')[0])}@" if user else ""
    return f"postgresql://{user}{host}/{rest.partition('?')[0]}"


def _driver() -> Any:
    try:
        import psycopg
    except ImportError:
        raise LedgerError(
            "a ledger in PostgreSQL needs its driver: pip install 'neocloud[postgresql]'"
        ) from None
    return psycopg


class Link:
    """A connection to one database, used by one thread at a time.

    Args:
        url: `postgresql://user:password@host:port/database?...` as libpq reads it; what is left out
            comes from libpq's own sources (`PGPASSWORD`, `~/.pgpass`).
        answer_s: the longest that one step of a transaction may take.

    Raises:
        LedgerError: the URL cannot be read, or the driver is not installed.
    """

    def __init__(self, url: str, answer_s: float = ANSWER_S) -> None:
        self.name = shown(url)
        self.answer_s = answer_s
        self._url = url
        self._psycopg = _driver()
        self._connection: psycopg.Connection[Any] | None = None
        try:
            self._psycopg.conninfo.conninfo_to_dict(url)
        except self._psycopg.Error:
            raise LedgerError(
                f"the ledger's URL, {self.name}, is none that PostgreSQL's library can read"
            ) from None

    @contextmanager
    def writing(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction, committed on the server's disk at the end, or nothing of it.

        Raises:
            StoreError: the server is gone, silent or busy. If it went while it committed, nobody
                knows whether it did: do the same again.
            LedgerError: what was asked can never succeed.
        """
        with self._told():
            connection = self._begun(_BEGIN)
            try:
                yield connection
                with self.in_time():
                    connection.execute("COMMIT")
            except BaseException:
                # Whatever state this connection is in, a new one is in none.
                self.close()
                raise

    @contextmanager
    def viewing(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction that sees the database as of its first statement; the link ends with it."""
        with self._told():
            try:
                yield self._begun(_BEGIN_VIEW)
            finally:
                self.close()

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """A step within a transaction: the connection is cut if it takes longer than it may."""
        connection = self._connection
        assert connection is not None, "a step is within a transaction"
        with _Watch(connection.fileno(), self.answer_s) as watch, self._told(watch):
            yield

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._psycopg.Error):
                connection.close()

    def _begun(self, begin: str) -> psycopg.Connection[Any]:
        connection = self._connected()
        try:
            with self.in_time():
                connection.execute(begin.format(ms=int(self.answer_s * 1000)))
        except LedgerError:
            self.close()
            raise
        return connection

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = self._psycopg.connect(
                self._url,
                autocommit=True,  # BEGIN and COMMIT are ours
                connect_timeout=int(CONNECT_S),
                prepare_threshold=None,  # a pooler between may give each transaction another server
                application_name="neocloud",
            )
        return self._connection

    @contextmanager
    def _told(self, watch: _Watch | None = None) -> Iterator[None]:
        """The driver's errors as ours."""
        errors = self._psycopg.errors
        try:
            yield
        except (errors.UndefinedTable, errors.InvalidSchemaName):
            raise LedgerError(f"{self.name} is not a ledger; `neocloud up` makes one") from None
        except (errors.DataError, UnicodeError) as error:
            raise LedgerError(f"{self.name}: {_first_line(error)}") from None
        except self._psycopg.Error as error:
            if watch is not None and watch.cut:
                reason = f"no answer within {self.answer_s:g} s"
            else:
                reason = _first_line(error)
            raise StoreError(f"{self.name}: {reason}") from None


def _first_line(error: BaseException) -> str:
    """What went wrong, without the details: those quote values of the row."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class _Watch:
    """Shuts a socket down unless it is left in time. What waits on it then sees it closed."""

    def __init__(self, descriptor: int, seconds: float) -> None:
        self.cut = False
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> _Watch:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()  # before the descriptor is closed, and its number another's
        self._socket.close()

    def _cut(self) -> None:
        self.cut = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
