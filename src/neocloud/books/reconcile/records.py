"""What a reconciliation finds: the chain from events to the journal, and every difference in it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

SCHEMA = "neocloud.reconciliation/1"


class Level(StrEnum):
    """Between what the difference lies."""

    EVENTS = "events"
    """The ledger, and the use that documents were made over."""
    LINES = "lines"
    """The ledger rated again, and the rated lines of documents."""
    DOCUMENTS = "documents"
    """A document in itself, or beside its rated lines; numbers; closed months."""
    POSTINGS = "postings"
    """What documents say is posted, and the postings."""
    ACCOUNTS = "accounts"
    """The accounts in themselves: sums, holds, order."""
    JOURNAL = "journal"
    """What documents say of an account, and the journal."""


class Finding(StrEnum):
    """What a difference is."""

    MISSING = "missing"
    """It should be there and is not."""
    EXTRA = "extra"
    """It is there and nothing tells of it."""
    DIFFERENT = "different"
    """It is there with another content."""
    CORRECTED = "corrected"
    """A correction in the ledger changed it since: likewise."""
    LATE = "late"
    """It came after closing: the tenant's next invoice will charge or credit it."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One difference.

    Attributes:
        level: where.
        finding: what it is.
        is_fault: False for what the next invoice will put right.
        subject: id of the event, line, document, posting or account.
        tenant: whose; empty for none.
        month: UTC month of the use; empty for none.
        text: all of it in a sentence.
        tokens: how many more are there than should be; below zero for fewer.
        currency: of the amount; empty for none.
        amount: how much more is there than should be; None for none.
    """

    level: Level
    finding: Finding
    is_fault: bool = True
    subject: str
    tenant: str = ""
    month: str = ""
    text: str
    tokens: int = 0
    currency: str = ""
    amount: Decimal | None = None


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """An exact amount at each step.

    Attributes:
        currency: of the prices.
        rated: the ledger's use, rated again.
        billed: rated lines of documents with a number.
    """

    currency: str
    rated: Decimal
    billed: Decimal


class MonthChain(msgspec.Struct, frozen=True, kw_only=True):
    """A closed month of a tenant, step by step: equal numbers agree.

    Attributes:
        tenant: whose.
        month: UTC month.
        requests: of real engines, in the ledger.
        sealed_requests: that the last document over the month saw; None of early books.
        tokens: of those in the ledger.
        rated_tokens: of the ledger's use, rated again.
        billed_tokens: of rated lines.
        money: by currency of the prices.
    """

    tenant: str
    month: str
    requests: int
    sealed_requests: int | None
    tokens: int
    rated_tokens: int
    billed_tokens: int
    money: tuple[Money, ...]


class DocumentChain(msgspec.Struct, frozen=True, kw_only=True):
    """A document, step by step, in its currency.

    Attributes:
        document: number, or id where it has none.
        tenant: whose.
        day: accounting date.
        currency: of the amounts.
        total: that it states: owed, or below zero paid or credited.
        posted: by its postings in the tenant's receivable.
    """

    document: str
    tenant: str
    day: str
    currency: str
    total: Decimal
    posted: Decimal


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What `neocloud reconcile` shows.

    Attributes:
        schema: name and version of this form.
        cloud: name of the cloud.
        period: that was asked for; empty for all.
        tenant: likewise.
        agrees: True if no difference is a fault.
        events: that were read.
        documents: that were looked at.
        postings: that were looked at.
        months: by tenant and month.
        chains: the documents, in the order of issuing.
        differences: all, faults first.
    """

    schema: str = SCHEMA
    cloud: str
    period: str = ""
    tenant: str = ""
    agrees: bool
    events: int
    documents: int
    postings: int
    months: tuple[MonthChain, ...]
    chains: tuple[DocumentChain, ...]
    differences: tuple[Difference, ...]
