"""API keys in PostgreSQL, so that all gateways of a ledger know the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString

import msgspec

from neocloud.ledger.keys import ApiKey, new_key
from neocloud.ledger.postgresql.link import CONNECT_S, Link
from neocloud.ledger.postgresql.tables import hide, show

if TYPE_CHECKING:
    import psycopg

_IN_FORCE = "key_id = %s AND (revoked_ns IS NULL OR revoked_ns > %s)"


class PostgresqlKeys:
    """Implements `Keys` in the tables `keys` and `keys_changed`, made when the first key is.

    Args:
        url: of the database, see `Link`.
    """

    def __init__(self, url: str) -> None:
        self._link = Link(url, CONNECT_S)

    def create(self, tenant: str, name: str, now_ns: int) -> tuple[str, ApiKey]:
        """See `Keys`."""
        text, key = new_key(tenant, name, now_ns)
        with self._writing(now_ns) as connection:
            _insert(connection, key)
        return text, key

    def adopt(self, key: ApiKey) -> None:
        """See `Keys`."""
        with self._writing(key.created_ns) as connection:
            _insert(
                connection, key,
                "ON CONFLICT (key_id) "
                "DO UPDATE SET revoked_ns = least(k.revoked_ns, excluded.revoked_ns)",
            )  # fmt: skip

    def rotate(self, key_id: str, now_ns: int, end_ns: int) -> tuple[str, ApiKey] | None:
        """See `Keys`."""
        with self._writing(now_ns) as connection:
            row = connection.execute(
                f"UPDATE keys SET revoked_ns = least(%s, revoked_ns) WHERE {_IN_FORCE} "  # noqa: S608
                "RETURNING tenant, name",
                (end_ns, hide(key_id), now_ns),
            ).fetchone()
            if row is None:
                return None
            text, key = new_key(show(row[0]), show(row[1]), now_ns)
            _insert(connection, key)
        return text, key

    def revoke(self, key_id: str, now_ns: int) -> bool:
        """See `Keys`."""
        with self._writing(now_ns) as connection:
            cursor = connection.execute(
                f"UPDATE keys SET revoked_ns = %s WHERE {_IN_FORCE}",  # noqa: S608
                (now_ns, hide(key_id), now_ns),
            )
            return cursor.rowcount == 1

    def keys(self) -> tuple[ApiKey, ...]:
        """See `Keys`."""
        with self._link.writing() as connection, self._link.in_time():
            if not _made(connection):
                return ()
            rows = connection.execute(
                "SELECT key_id, tenant, name, hash, created_ns, revoked_ns FROM keys "
                "ORDER BY created_ns, key_id"
            ).fetchall()
        return tuple(
            ApiKey(
                key_id=show(row[0]), tenant=show(row[1]), name=show(row[2]), hash=bytes(row[3]),
                created_ns=row[4], revoked_ns=row[5],
            )
            for row in rows
        )  # fmt: skip

    def changed_ns(self) -> int:
        """See `Keys`."""
        with self._link.writing() as connection, self._link.in_time():
            if not _made(connection):
                return 0
            row = connection.execute("SELECT changed_ns FROM keys_changed").fetchone()
        return 0 if row is None else int(row[0])

    def close(self) -> None:
        """See `Keys`."""
        self._link.close()

    @contextmanager
    def _writing(self, now_ns: int) -> Iterator[psycopg.Connection[Any]]:
        with self._link.writing() as connection, self._link.in_time():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CHANGING,))
            if not _made(connection):
                for statement in _TABLES:
                    connection.execute(statement)
            # Two changes within a clock's step still differ.
            connection.execute(
                "UPDATE keys_changed SET changed_ns = greatest(changed_ns + 1, %s)", (now_ns,)
            )
            yield connection


_CHANGING = 0x6E656F64
"""Of the advisory lock under which keys are changed: seldom, and one at a time."""

_TABLES = (
    "CREATE SCHEMA IF NOT EXISTS neocloud",
    (
        "CREATE TABLE keys (key_id text PRIMARY KEY, tenant text NOT NULL, name text NOT NULL, "
        "hash bytea NOT NULL UNIQUE, created_ns bigint NOT NULL, revoked_ns bigint)"
    ),
    "CREATE TABLE keys_changed (changed_ns bigint NOT NULL)",
    "INSERT INTO keys_changed VALUES (0)",
)


def _made(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT to_regclass('neocloud.keys_changed')").fetchone()
    return row is not None and row[0] is not None


def _insert(
    connection: psycopg.Connection[Any], key: ApiKey, otherwise: LiteralString = ""
) -> None:
    kept = msgspec.structs.replace(key, tenant=hide(key.tenant), name=hide(key.name))
    connection.execute(
        "INSERT INTO keys AS k (key_id, tenant, name, hash, created_ns, revoked_ns) "  # noqa: S608
        f"VALUES (%s, %s, %s, %s, %s, %s) {otherwise}",
        msgspec.structs.astuple(kept),
    )
