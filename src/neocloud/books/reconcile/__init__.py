"""Whether events, rated lines, documents, postings and journal agree; every difference named."""

from neocloud.books.reconcile.make import reconcile
from neocloud.books.reconcile.records import (
    SCHEMA,
    Difference,
    DocumentChain,
    Finding,
    Level,
    Money,
    MonthChain,
    Reconciliation,
)
from neocloud.books.reconcile.scope import Scope
from neocloud.books.reconcile.text import reconciliation_text

__all__ = [
    "SCHEMA",
    "Difference",
    "DocumentChain",
    "Finding",
    "Level",
    "Money",
    "MonthChain",
    "Reconciliation",
    "Scope",
    "reconcile",
    "reconciliation_text",
]
