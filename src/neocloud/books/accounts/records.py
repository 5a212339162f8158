"""The books' records: accounts and postings, documents, closed periods. All are immutable."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from neocloud.books.accounts.seal import Seal
from neocloud.books.rating import RatedLine

SCHEMA = "neocloud.books/2"


class AccountKind(StrEnum):
    """What an account is; assets and expenses grow by debits, the others by credits."""

    CASH = "cash"
    """Asset: what tenants paid."""
    RECEIVABLE = "receivable"
    """Asset: what a tenant owes on invoices."""
    PREPAID = "prepaid"
    """Liability: what a tenant has paid for use to come; owner is the tenant, or tenant/grant."""
    CARRIED = "carried"
    """Liability: what a tenant paid for in an earlier period and may still use."""
    TAX = "tax"
    """Liability: tax that was invoiced."""
    REVENUE = "revenue"
    """Income: owner is the model, accelerator or contract that earned it."""
    ROUNDING = "rounding"
    """Income: what rounding lines to the minor unit gave; negative where it took."""
    GOODWILL = "goodwill"
    """Expense: credits that were given without payment, as for missed objectives."""
    EXCHANGE = "exchange"
    """Equity: where an amount changes its currency, one account a currency."""


class Limit(StrEnum):
    """What an account refuses."""

    NONE = ""
    DEBITS_WITHIN_CREDITS = "debits_within_credits"
    """Debits, pending ones included, never exceed posted credits: no prepaid money is overdrawn."""
    CREDITS_WITHIN_DEBITS = "credits_within_debits"
    """Credits, pending ones included, never exceed posted debits."""


class Account(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """An account in one currency. Made by `account`, which gives it its id.

    Attributes:
        id: `kind:owner:currency`, as `receivable:acme:USD`.
        kind: what it is.
        owner: whose or what it is of; may be empty.
        currency: of all its postings.
        limit: what it refuses.
    """

    id: str
    kind: AccountKind
    owner: str
    currency: str
    limit: Limit = Limit.NONE


def account_id(kind: AccountKind, owner: str, currency: str) -> str:
    """Id of an account."""
    return f"{kind}:{owner}:{currency}"


def account(kind: AccountKind, owner: str, currency: str, limit: Limit | None = None) -> Account:
    """An account; prepaid and carried money cannot be overdrawn unless `limit` says otherwise."""
    if limit is None:
        held = {AccountKind.PREPAID, AccountKind.CARRIED}
        limit = Limit.DEBITS_WITHIN_CREDITS if kind in held else Limit.NONE
    return Account(
        id=account_id(kind, owner, currency), kind=kind, owner=owner, currency=currency, limit=limit
    )


class PostingKind(StrEnum):
    """What a posting does."""

    POST = "post"
    """Moves the amount at once."""
    HOLD = "hold"
    """Reserves it: pending until it is settled, released, or its time is over."""
    SETTLE = "settle"
    """Posts a hold: its amount, or a smaller one; the rest is released."""
    RELEASE = "release"
    """Voids a hold."""


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """One debit and one credit of the same amount. What is written stays as it is, forever.

    Attributes:
        id: of the caller's making, unique forever. The same posting again changes nothing; another
            one under the same id is refused.
        kind: what it does.
        debit: id of the account that is debited; empty for SETTLE and RELEASE, which take the
            hold's.
        credit: id of the account that is credited; likewise.
        pico: 1e-12 of the accounts' currency, above 0; of SETTLE at most the hold's, 0 for all of
            it; of RELEASE 0.
        hold: id of the hold that SETTLE and RELEASE end; else empty.
        timeout_s: seconds after which a hold ends by itself; 0 for never.
        day: accounting date, `2026-10-31`.
        document: id of the document that it belongs to; empty for none.
        note: what it is for, in words.
    """

    id: str
    kind: PostingKind = PostingKind.POST
    debit: str = ""
    credit: str = ""
    pico: int = 0
    hold: str = ""
    timeout_s: int = 0
    day: str
    document: str = ""
    note: str = ""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A posting as it was written.

    Attributes:
        sequence: its place in the order of all postings, from 1.
        at_ns: when it was written.
        posting: with the accounts and the amount that it took from its hold.
    """

    sequence: int
    at_ns: int
    posting: Posting


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of an account, 1e-12 of its currency. The posted ones only grow."""

    debits: int = 0
    credits: int = 0
    pending_debits: int = 0
    pending_credits: int = 0


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is to be issued.

    Attributes:
        id: of the caller's making, unique forever: issuing it again gives the first.
        kind: `invoice`, `credit_note`, `specimen`.
        series: in which it takes the next number; empty for a document without one.
        tenant: tenant id.
        start_ns: of its period.
        end_ns: of its period.
        body: the document itself, JSON.
        lines: what it bills, as it was rated: what later rating is compared with. Of an adjustment
            the lines' quantities may be negative.
        seals: of the use that it was made over, by month: those that no earlier document has.
    """

    id: str
    kind: str
    series: str
    tenant: str
    start_ns: int
    end_ns: int
    body: msgspec.Raw
    lines: tuple[RatedLine, ...] = ()
    seals: tuple[Seal, ...] = ()


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was issued; `number` counts its series from 1 without gaps, or is None."""

    draft: Draft
    number: int | None
    issued_ns: int

    @property
    def name(self) -> str:
        """As `INV-000042`; empty without a number."""
        return "" if self.number is None else f"{self.draft.series}-{self.number:06d}"


class ClosedPeriod(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A period of a tenant in which nothing more is billed; later events go into the next.

    Attributes:
        tenant: tenant id.
        start_ns: first moment.
        end_ns: first moment after it.
        document: id of the document that closed it; empty for none.
    """

    tenant: str
    start_ns: int
    end_ns: int
    document: str
