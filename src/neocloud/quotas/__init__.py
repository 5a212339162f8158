"""What a tenant may still use: rates, slots and budgets, held before dispatch and settled after."""

from neocloud.quotas.bank import Bank
from neocloud.quotas.embedded import EmbeddedBank, quotas_path
from neocloud.quotas.errors import BankError, SupersededError
from neocloud.quotas.quotas import Quotas
from neocloud.quotas.records import (
    Hold,
    Limited,
    NeedsLease,
    Patience,
    RateLeft,
    Refusal,
    Remaining,
    TenantLimit,
)
from neocloud.quotas.shared import SharedBank

__all__ = [
    "Bank",
    "BankError",
    "EmbeddedBank",
    "Hold",
    "Limited",
    "NeedsLease",
    "Patience",
    "Quotas",
    "RateLeft",
    "Refusal",
    "Remaining",
    "SharedBank",
    "SupersededError",
    "TenantLimit",
    "quotas_path",
]
