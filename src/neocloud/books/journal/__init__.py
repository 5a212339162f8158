"""The books as a double-entry journal for Beancount, and what documents say of the accounts."""

from neocloud.books.journal.expected import Stated, body_of, day_of, stated
from neocloud.books.journal.gather import Material, gather
from neocloud.books.journal.make import make_journal
from neocloud.books.journal.metered import sealed_now
from neocloud.books.journal.names import JournalError, account_name, component
from neocloud.books.journal.records import Assertion, Journal, Leg, Opened, Transaction
from neocloud.books.journal.text import journal_text

__all__ = [
    "Assertion",
    "Journal",
    "JournalError",
    "Leg",
    "Material",
    "Opened",
    "Stated",
    "Transaction",
    "account_name",
    "body_of",
    "component",
    "day_of",
    "gather",
    "journal_text",
    "make_journal",
    "sealed_now",
    "stated",
]
