"""A reconciliation as text."""

from __future__ import annotations

from neocloud.books.reconcile.records import Difference, Finding, Reconciliation

_MOST = 200
"""Differences that are printed; JSON has all."""


def reconciliation_text(found: Reconciliation) -> str:
    """What agrees in a line, and each difference in one of its own."""
    faults = sum(each.is_fault for each in found.differences)
    late = len(found.differences) - faults
    looked = (
        f"{found.events:,} events of {len(found.months):,} closed months, {found.documents:,} "
        f"documents, {found.postings:,} postings"
    )
    lines = [f"{_word(each):9}  {each.level:9}  {each.text}" for each in found.differences[:_MOST]]
    if len(found.differences) > _MOST:
        lines.append(f"and {len(found.differences) - _MOST:,} more: --json has all")
    if found.agrees:
        end = f"Events, rated lines, documents, postings and journal agree: {looked}"
        end += f"; {late:,} to be corrected on next invoices." if late else "."
    else:
        end = f"{faults:,} difference{'' if faults == 1 else 's'} among {looked}."
    return "\n".join([*lines, end]) + "\n"


def _word(each: Difference) -> str:
    if each.is_fault:
        return "DIFFERENT"
    return "corrected" if each.finding is Finding.CORRECTED else "later"
