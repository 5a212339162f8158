"""What happened, durably: usage, allocation and energy events, and the keys of tenants.

Each worker process commits to segments of its own; a shipper brings them into the store; a reader
sees both as one.
"""

from neocloud.ledger.corrections import corrected, in_order
from neocloud.ledger.errors import LedgerError, StoreError
from neocloud.ledger.hourly import metered_activity
from neocloud.ledger.keys import ApiKey, KeyRing, Keys, KeyStore, KeyWatch, given_key, keys_of
from neocloud.ledger.ledger import Ledger, close_abandoned
from neocloud.ledger.place import LedgerPlace, ledger_path, ledger_place
from neocloud.ledger.progress import ProgressTable
from neocloud.ledger.reader import Reader, RecordReader
from neocloud.ledger.records import (
    SCHEMA,
    Admission,
    AllocationEvent,
    AttemptEvent,
    CorrectionEvent,
    EnergyEvent,
    Status,
    UsageEvent,
)
from neocloud.ledger.recovery import BYTES_PER_TOKEN
from neocloud.ledger.report import ShippingReport
from neocloud.ledger.sharing import EnergyShare, shared_energy
from neocloud.ledger.shipper import Shipper

__all__ = [
    "BYTES_PER_TOKEN",
    "SCHEMA",
    "Admission",
    "AllocationEvent",
    "ApiKey",
    "AttemptEvent",
    "CorrectionEvent",
    "EnergyEvent",
    "EnergyShare",
    "KeyRing",
    "KeyStore",
    "KeyWatch",
    "Keys",
    "Ledger",
    "LedgerError",
    "LedgerPlace",
    "ProgressTable",
    "Reader",
    "RecordReader",
    "Shipper",
    "ShippingReport",
    "Status",
    "StoreError",
    "UsageEvent",
    "close_abandoned",
    "corrected",
    "given_key",
    "in_order",
    "keys_of",
    "ledger_path",
    "ledger_place",
    "metered_activity",
    "shared_energy",
]
