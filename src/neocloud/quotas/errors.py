"""What can go wrong between a worker and the store that it shares."""

from __future__ import annotations


class BankError(RuntimeError):
    """The store did not answer, or cannot be used; the message says which, why and what to do."""


class SupersededError(BankError):
    """Another process has started under the same worker id and holds its leases now."""
