"""What happened, durably: usage, allocation and energy events, and the keys of tenants.

One SQLite file a worker process, one commit thread in it, one reading view over all.
"""

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.hourly import metered_activity
from neocloud.ledger.keys import ApiKey, KeyRing, KeyStore, given_key
from neocloud.ledger.ledger import Ledger
from neocloud.ledger.reader import Reader
from neocloud.ledger.records import (
    SCHEMA,
    Admission,
    AllocationEvent,
    EnergyEvent,
    Status,
    UsageEvent,
)
from neocloud.ledger.recovery import BYTES_PER_TOKEN
from neocloud.ledger.segments import ledger_path

__all__ = [
    "BYTES_PER_TOKEN",
    "SCHEMA",
    "Admission",
    "AllocationEvent",
    "ApiKey",
    "EnergyEvent",
    "KeyRing",
    "KeyStore",
    "Ledger",
    "LedgerError",
    "Reader",
    "Status",
    "UsageEvent",
    "given_key",
    "ledger_path",
    "metered_activity",
]
