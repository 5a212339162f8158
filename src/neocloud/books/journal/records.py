"""The journal: transactions of money and of quantities, and what must hold after them."""

from __future__ import annotations

import msgspec


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a transaction.

    Attributes:
        account: name of the account in the journal.
        commodity: a currency, or what quantities are counted in.
        count: 1e-12 of a currency, or a whole quantity; above 0 is a debit.
        posting: id of the posting in the accounts; empty for quantities.
        note: what it is for.
    """

    account: str
    commodity: str
    count: int
    posting: str = ""
    note: str = ""


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs together. Its legs add up to nothing in each commodity.

    Attributes:
        day: `2026-10-31`.
        rank: order within a day: use before what bills it.
        id: order within a rank, unique.
        tag: what it is.
        tenant: whose.
        text: what it is, in words.
        links: numbers of the documents that it is about.
        document: id of the document; empty for none.
        legs: sides.
    """

    day: str
    rank: int
    id: str
    tag: str
    tenant: str
    text: str
    links: tuple[str, ...] = ()
    document: str = ""
    legs: tuple[Leg, ...]


class Assertion(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What an account holds at the beginning of a day, by the documents and the ledger."""

    day: str
    account: str
    commodity: str
    count: int


class Opened(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """An account from its first day, and until it was closed.

    Attributes:
        day: first.
        name: in the journal.
        commodities: that it takes, empty for any.
        account: id in the books; empty of one for quantities.
        closed: first day on which it is closed; empty for open.
    """

    day: str
    name: str
    commodities: tuple[str, ...]
    account: str
    closed: str = ""


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """The books of a period, complete in itself: it begins with what was there before.

    Attributes:
        cloud: name of the cloud.
        what: period and tenant, in words.
        currencies: that occur.
        opened: accounts.
        transactions: in their order.
        assertions: in their order.
    """

    cloud: str
    what: str
    currencies: tuple[str, ...]
    opened: tuple[Opened, ...]
    transactions: tuple[Transaction, ...]
    assertions: tuple[Assertion, ...]
