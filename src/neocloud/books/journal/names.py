"""Names, amounts and texts as Beancount wants them."""

from __future__ import annotations

import hashlib
import re

from neocloud.books.accounts import Account, AccountKind
from neocloud.books.prices import Meter
from neocloud.units import PICO


class JournalError(ValueError):
    """Something that cannot be written in Beancount without loss."""


_ROOTS = {
    AccountKind.CASH: "Assets:Cash",
    AccountKind.RECEIVABLE: "Assets:Receivable",
    AccountKind.PREPAID: "Liabilities:Prepaid",
    AccountKind.CARRIED: "Liabilities:Carried",
    AccountKind.TAX: "Liabilities:Tax",
    AccountKind.REVENUE: "Income:Revenue",
    AccountKind.ROUNDING: "Income:Rounding",
    AccountKind.GOODWILL: "Expenses:Goodwill",
    AccountKind.EXCHANGE: "Equity:Exchange",
}
COMMODITIES = {
    Meter.INPUT: "INPUT-TOKEN",
    Meter.CACHED_INPUT: "CACHED-INPUT-TOKEN",
    Meter.OUTPUT: "OUTPUT-TOKEN",
    Meter.REASONING: "OUTPUT-TOKEN",
    Meter.ACCELERATOR_HOUR: "ACCELERATOR-NANOSECOND",
}
"""What quantities are counted in. Reasoning is generated text, priced apart or not."""
COMMODITY_NAMES = {
    "INPUT-TOKEN": "prompt tokens that were not cached",
    "CACHED-INPUT-TOKEN": "prompt tokens found in a prefix cache",
    "OUTPUT-TOKEN": "generated tokens, reasoning included",
    "ACCELERATOR-NANOSECOND": "accelerators held, times nanoseconds",
}
_PLAIN = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_MOST = 10**28
"""Beancount calculates with 28 digits."""


def component(name: str) -> str:
    """A part of an account's name: two names never give the same.

    Beancount allows letters, digits and single signs `-`, a capital letter or a digit first. A name
    that is more than that gets a hash behind `--`, which no other has.
    """
    fit = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "x"
    shown = fit[0].upper() + fit[1:]
    if _PLAIN.fullmatch(name) and not name[0].isupper():
        return shown
    return f"{shown}--{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def account_name(account: Account) -> str:
    """Name of an account of the books: root, owner, currency."""
    owner = [component(part) for part in account.owner.split("/") if part]
    return ":".join([_ROOTS[account.kind], *owner, account.currency])


def use_name(root: str, tenant: str, owner: str) -> str:
    """Name of an account of quantities of a tenant and model or accelerator."""
    return f"{root}:{component(tenant)}:{component(owner)}"


def decimal_text(pico: int) -> str:
    """An amount with its twelve decimals.

    Raises:
        JournalError: Beancount would round it.
    """
    if abs(pico) >= _MOST:
        raise JournalError(f"an amount of {pico} times 1e-12 has more digits than Beancount's 28")
    whole, rest = divmod(abs(pico), PICO)
    return f"{'-' if pico < 0 else ''}{whole}.{rest:012d}"


def quoted(text: str) -> str:
    """A text between quotes, on one line."""
    escaped = re.sub(r"[\r\n]+", " ", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
