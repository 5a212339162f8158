"""The ledger in PostgreSQL: store, keys, and the link to the server that both use.

Needs the extra `postgresql`, whose driver is loaded when a link is first used.
"""

from neocloud.ledger.postgresql.keys import PostgresqlKeys
from neocloud.ledger.postgresql.link import is_postgresql, shown
from neocloud.ledger.postgresql.store import PostgresqlStore

__all__ = ["PostgresqlKeys", "PostgresqlStore", "is_postgresql", "shown"]
