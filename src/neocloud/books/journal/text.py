"""The journal as the text of Beancount 3."""

from __future__ import annotations

import re
from collections.abc import Iterator

from neocloud.books.journal.names import COMMODITY_NAMES, decimal_text, quoted
from neocloud.books.journal.records import Journal, Leg, Opened, Transaction

_LINK = re.compile(r"[^A-Za-z0-9/_.-]+")


def journal_text(journal: Journal) -> Iterator[str]:
    """Lines with their ends: the same bytes for the same journal.

    No difference is tolerated, neither within a transaction nor by an assertion: amounts have
    twelve decimals and quantities none.

    Raises:
        JournalError: an amount has more digits than Beancount calculates with.
    """
    yield f";; Books of {journal.cloud}: {journal.what}.\n"
    yield ";; Made by neocloud export beancount; bean-check must find nothing.\n"
    yield f"option {quoted('title')} {quoted(f'{journal.cloud}: {journal.what}')}\n"
    for currency in journal.currencies:
        yield f'option "operating_currency" "{currency}"\n'
    yield 'option "tolerance_multiplier" "0"\n\n'
    first = min((opened.day for opened in journal.opened), default="1970-01-01")
    for currency in journal.currencies:
        yield f"{first} commodity {currency}\n"
    for commodity, name in COMMODITY_NAMES.items():
        yield f"{first} commodity {commodity}\n  name: {quoted(name)}\n"
    yield "\n"
    for opened in journal.opened:
        yield from _opening(opened)
    for transaction in journal.transactions:
        yield from _transaction(transaction)
    yield "\n"
    for each in journal.assertions:
        amount = _count(each.commodity, each.count)
        yield f"{each.day} balance {each.account}  {amount} ~ 0 {each.commodity}\n"
    for opened in sorted(journal.opened, key=lambda o: (o.closed, o.name)):
        if opened.closed:
            yield f"{opened.closed} close {opened.name}\n"


def _opening(opened: Opened) -> Iterator[str]:
    only = " " + ",".join(opened.commodities) if opened.commodities else ""
    yield f"{opened.day} open {opened.name}{only}\n"
    if opened.account:
        yield f"  account: {quoted(opened.account)}\n"


def _transaction(made: Transaction) -> Iterator[str]:
    links = "".join(f" ^{_LINK.sub('-', link)}" for link in made.links)
    yield f"\n{made.day} * {quoted(made.tenant)} {quoted(made.text)} #{made.tag}{links}\n"
    if made.document:
        yield f"  document: {quoted(made.document)}\n"
    for number, link in enumerate(made.links):
        yield f"  {'refers-to' if number else 'number'}: {quoted(link)}\n"
    for leg in made.legs:
        yield from _leg(leg)


def _leg(leg: Leg) -> Iterator[str]:
    yield f"  {leg.account}  {_count(leg.commodity, leg.count)} {leg.commodity}\n"
    if leg.posting:
        yield f"    posting: {quoted(leg.posting)}\n"
    if leg.note:
        yield f"    note: {quoted(leg.note)}\n"


def _count(commodity: str, count: int) -> str:
    return str(count) if commodity in COMMODITY_NAMES else decimal_text(count)
