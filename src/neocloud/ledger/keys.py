"""API keys: made once, shown once, kept as hashes.

A key is `nc-<id>-<secret>`: the id is public and stands in usage events, the secret has 192 bits.
They lie in a file beside a ledger of this machine, or in a table of a ledger that is a server.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.place import LedgerPlace, place_of

_PREFIX = "nc-"
_ID_BYTES = 6
_SECRET_BYTES = 24
_TABLE = (
    "CREATE TABLE IF NOT EXISTS keys (key_id TEXT PRIMARY KEY, tenant TEXT NOT NULL, "
    "name TEXT NOT NULL, hash BLOB NOT NULL, created_ns INTEGER NOT NULL, revoked_ns INTEGER)"
)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key; never the key itself.

    `revoked_ns` is from when on it is refused: of a key that was rotated it may lie ahead.
    """

    key_id: str
    tenant: str
    name: str
    hash: bytes
    created_ns: int
    revoked_ns: int | None

    @property
    def prefix(self) -> str:
        """How the key begins: what may be shown of it."""
        return f"{_PREFIX}{self.key_id}"

    def in_force(self, now_ns: int) -> bool:
        """False from the moment on at which it is refused."""
        return self.revoked_ns is None or self.revoked_ns > now_ns

    def __repr__(self) -> str:
        return f"ApiKey({self.key_id}, {self.tenant})"


def hash_key(key: bytes) -> bytes:
    """SHA-256. Keys are random, so that a slow hash would add nothing."""
    return hashlib.sha256(key).digest()


def new_key(tenant: str, name: str, now_ns: int) -> tuple[str, ApiKey]:
    """A key's text, to be shown once, and what is kept of it."""
    key_id = secrets.token_hex(_ID_BYTES)
    text = f"{_PREFIX}{key_id}-{secrets.token_urlsafe(_SECRET_BYTES)}"
    return text, ApiKey(
        key_id=key_id, tenant=tenant, name=name, hash=hash_key(text.encode()), created_ns=now_ns,
        revoked_ns=None,
    )  # fmt: skip


def given_key(key: str, tenant: str) -> ApiKey:
    """A key that was chosen elsewhere, for one process; its id is the start of its hash."""
    digest = hash_key(key.encode())
    return ApiKey(
        key_id="env-" + digest.hex()[:12], tenant=tenant, name="", hash=digest, created_ns=0,
        revoked_ns=None,
    )  # fmt: skip


class KeyRing:
    """Keys in memory, for the request path.

    A key is found by its hash: a dictionary of digests tells an attacker nothing by its timing,
    since who can choose digests can already invert SHA-256. The match is then compared in constant
    time all the same.
    """

    def __init__(self, keys: tuple[ApiKey, ...], now_ns: int | None = None) -> None:
        """Take the keys that are in force at `now_ns`; without it, those that have no end."""
        taken = [
            key
            for key in keys
            if key.revoked_ns is None or (now_ns is not None and key.in_force(now_ns))
        ]
        self._by_hash = {key.hash: key for key in taken}
        self.next_end_ns = min(
            (k.revoked_ns for k in taken if k.revoked_ns is not None), default=None
        )
        """When the next of them ends, and the ring must be made again; None if none does."""

    def __len__(self) -> int:
        return len(self._by_hash)

    def find(self, presented: bytes) -> ApiKey | None:
        """The key that was presented, if it is one of ours and not revoked."""
        digest = hash_key(presented)
        key = self._by_hash.get(digest)
        if key is None or not hmac.compare_digest(key.hash, digest):
            return None
        return key


class Keys(Protocol):
    """Where the keys of a ledger lie. Every method raises LedgerError where they cannot be had."""

    def create(self, tenant: str, name: str, now_ns: int) -> tuple[str, ApiKey]:
        """Make a key: its text, to be shown once, and what is kept of it."""
        ...

    def adopt(self, key: ApiKey) -> None:
        """Take over a key that was made elsewhere. If it is there, the earlier end holds."""
        ...

    def rotate(self, key_id: str, now_ns: int, end_ns: int) -> tuple[str, ApiKey] | None:
        """Make a key for the same tenant and name, and refuse the old one from `end_ns` on.

        None if there is no such key in force; nothing is made then.
        """
        ...

    def revoke(self, key_id: str, now_ns: int) -> bool:
        """Refuse a key from now on; False if there is no such key in force."""
        ...

    def keys(self) -> tuple[ApiKey, ...]:
        """All keys, revoked ones too, oldest first."""
        ...

    def changed_ns(self) -> int:
        """When a key was last made or revoked; 0 while there is none. Changes with each change."""
        ...

    def close(self) -> None:
        """Let go of a connection, if there is one. Idempotent; the next call opens it again."""
        ...


def keys_of(where: LedgerPlace | Path) -> Keys:
    """Where the keys of a ledger lie.

    Raises:
        LedgerError: the ledger is a server whose driver is not installed, or whose URL is none.
    """
    place = place_of(where)
    if place.path is not None:
        return KeyStore(place)
    from neocloud.ledger.postgresql import PostgresqlKeys

    return PostgresqlKeys(place.url)


class KeyWatch:
    """Keeps a ring up to date with the keys of a ledger and with the time.

    Args:
        keys: of the ledger.
        given: further keys, for this process alone.
    """

    def __init__(self, keys: Keys, given: tuple[ApiKey, ...] = ()) -> None:
        self._keys = keys
        self._given = given
        self._changed_ns = -1
        self._next_end_ns: int | None = None

    def look(self, now_ns: int) -> KeyRing | None:
        """The keys in force, if others than at the last look; None if not.

        The first look gives a ring. Reads a file or asks a server: not to be called in an event
        loop where that may wait.

        Raises:
            LedgerError: the keys cannot be had; the next look tries again.
        """
        changed_ns = self._keys.changed_ns()  # before the keys: what is made meanwhile shows later
        ended = self._next_end_ns is not None and self._next_end_ns <= now_ns
        if changed_ns == self._changed_ns and not ended:
            return None
        ring = KeyRing((*self._keys.keys(), *self._given), now_ns)
        self._changed_ns, self._next_end_ns = changed_ns, ring.next_end_ns
        return ring


class KeyStore:
    """Implements `Keys` in a file beside the ledger, readable by its owner alone.

    Args:
        where: the ledger; the path of a SQLite file stands for one.
    """

    def __init__(self, where: LedgerPlace | Path) -> None:
        self.path = place_of(where).keys

    def create(self, tenant: str, name: str, now_ns: int) -> tuple[str, ApiKey]:
        """See `Keys`."""
        text, key = new_key(tenant, name, now_ns)
        with self._writing() as connection:
            _insert(connection, key)
        return text, key

    def adopt(self, key: ApiKey) -> None:
        """See `Keys`."""
        with self._writing() as connection:
            cursor = connection.execute("SELECT 1 FROM keys WHERE key_id = ?", (key.key_id,))
            if cursor.fetchone() is None:
                _insert(connection, key)
            elif key.revoked_ns is not None:
                _end(connection, key.key_id, key.revoked_ns)

    def rotate(self, key_id: str, now_ns: int, end_ns: int) -> tuple[str, ApiKey] | None:
        """See `Keys`."""
        with self._writing() as connection:
            row = connection.execute(
                "SELECT tenant, name FROM keys "
                "WHERE key_id = ? AND (revoked_ns IS NULL OR revoked_ns > ?)",
                (key_id, now_ns),
            ).fetchone()
            if row is None:
                return None
            text, key = new_key(row[0], row[1], now_ns)
            _insert(connection, key)
            _end(connection, key_id, end_ns)
        return text, key

    def revoke(self, key_id: str, now_ns: int) -> bool:
        """See `Keys`."""
        with self._writing() as connection:
            cursor = connection.execute(
                "UPDATE keys SET revoked_ns = ? "
                "WHERE key_id = ? AND (revoked_ns IS NULL OR revoked_ns > ?)",
                (now_ns, key_id, now_ns),
            )
        return cursor.rowcount == 1

    def keys(self) -> tuple[ApiKey, ...]:
        """See `Keys`."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return ()  # another process is about to make the first key
        try:
            with closing(self._connect()) as connection:
                rows = connection.execute("SELECT * FROM keys ORDER BY created_ns").fetchall()
        except sqlite3.Error as error:
            raise LedgerError(f"{self.path}: {error}") from None
        return tuple(
            ApiKey(
                key_id=row[0], tenant=row[1], name=row[2], hash=row[3], created_ns=row[4],
                revoked_ns=row[5],
            )
            for row in rows
        )  # fmt: skip

    def changed_ns(self) -> int:
        """See `Keys`: when the file was last written."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    def close(self) -> None:
        """See `Keys`: nothing stays open between calls."""

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=5.0)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.touch(mode=0o600)
            with closing(self._connect()) as connection, connection:
                connection.execute(_TABLE)
                connection.execute("BEGIN IMMEDIATE")
                yield connection
        except OSError as error:
            raise LedgerError(f"{self.path}: {error.strerror}") from None
        except sqlite3.Error as error:
            raise LedgerError(f"{self.path}: {error}") from None


def _insert(connection: sqlite3.Connection, key: ApiKey) -> None:
    connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(key))


def _end(connection: sqlite3.Connection, key_id: str, end_ns: int) -> None:
    connection.execute(
        "UPDATE keys SET revoked_ns = min(?, ifnull(revoked_ns, ?)) WHERE key_id = ?",
        (end_ns, end_ns, key_id),
    )
