"""API keys: made once, shown once, kept as hashes.

A key is `nc-<id>-<secret>`: the id is public and stands in usage events, the secret has 192 bits.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from neocloud.ledger.errors import LedgerError

_PREFIX = "nc-"
_ID_BYTES = 6
_SECRET_BYTES = 24
_TABLE = (
    "CREATE TABLE IF NOT EXISTS keys (key_id TEXT PRIMARY KEY, tenant TEXT NOT NULL, "
    "name TEXT NOT NULL, hash BLOB NOT NULL, created_ns INTEGER NOT NULL, revoked_ns INTEGER)"
)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key; never the key itself."""

    key_id: str
    tenant: str
    name: str
    hash: bytes
    created_ns: int
    revoked_ns: int | None

    def __repr__(self) -> str:
        return f"ApiKey({self.key_id}, {self.tenant})"


def hash_key(key: bytes) -> bytes:
    """SHA-256. Keys are random, so that a slow hash would add nothing."""
    return hashlib.sha256(key).digest()


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

    def __init__(self, keys: tuple[ApiKey, ...]) -> None:
        self._by_hash = {key.hash: key for key in keys if key.revoked_ns is None}

    def __len__(self) -> int:
        return len(self._by_hash)

    def find(self, presented: bytes) -> ApiKey | None:
        """The key that was presented, if it is one of ours and not revoked."""
        digest = hash_key(presented)
        key = self._by_hash.get(digest)
        if key is None or not hmac.compare_digest(key.hash, digest):
            return None
        return key


class KeyStore:
    """Keys of a ledger, in the file `<ledger>.keys` beside it, readable by its owner alone."""

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(ledger.name + ".keys")

    def create(self, tenant: str, name: str, now_ns: int) -> tuple[str, ApiKey]:
        """Make a key: its text, to be shown once, and what is kept of it."""
        key_id = secrets.token_hex(_ID_BYTES)
        text = f"{_PREFIX}{key_id}-{secrets.token_urlsafe(_SECRET_BYTES)}"
        key = ApiKey(
            key_id=key_id, tenant=tenant, name=name, hash=hash_key(text.encode()),
            created_ns=now_ns, revoked_ns=None,
        )  # fmt: skip
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(key)
            )
        return text, key

    def revoke(self, key_id: str, now_ns: int) -> bool:
        """Refuse a key from now on; False if there is no such key in force."""
        with self._writing() as connection:
            cursor = connection.execute(
                "UPDATE keys SET revoked_ns = ? WHERE key_id = ? AND revoked_ns IS NULL",
                (now_ns, key_id),
            )
        return cursor.rowcount == 1

    def keys(self) -> tuple[ApiKey, ...]:
        """All keys, revoked ones too, oldest first."""
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
        """When the file was last written; 0 while there is none."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=5.0)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.touch(mode=0o600)
            with closing(self._connect()) as connection, connection:
                connection.execute(_TABLE)
                yield connection
        except OSError as error:
            raise LedgerError(f"{self.path}: {error.strerror}") from None
        except sqlite3.Error as error:
            raise LedgerError(f"{self.path}: {error}") from None
