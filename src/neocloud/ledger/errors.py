"""What can go wrong with a ledger."""

from __future__ import annotations


class LedgerError(RuntimeError):
    """A ledger that cannot be used; the message says which file, why and what to do."""


class StoreError(LedgerError):
    """A store that cannot be reached or written at present; trying again may help."""
