"""Events against what documents were made over, and rated lines against what they bill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from neocloud.books.accounts import Document, Seal, SealedEvent, seal_difference
from neocloud.books.invoices import difference
from neocloud.books.invoices.money import exact
from neocloud.books.journal.names import COMMODITIES
from neocloud.books.journal.quantities import Amounts, added, of_seal, unbilled
from neocloud.books.rating import RatedLine, total_pico
from neocloud.books.reconcile.rated import RatedMonth, requests_in, tokens_in
from neocloud.books.reconcile.records import (
    Difference,
    Finding,
    Level,
    Money,
    MonthChain,
)
from neocloud.units import HOUR_NS


def last_seal(documents: Sequence[Document], month: str) -> Seal | None:
    """What the last document over a month saw; None of early books, which kept no seals."""
    found = [s for d in documents for s in d.draft.seals if s.month == month]
    return found[-1] if found else None


def billed_lines(documents: Sequence[Document], month: str) -> list[RatedLine]:
    """Rated lines of a month on documents with a number."""
    return [
        line
        for document in documents
        if document.number is not None
        for line in document.draft.lines
        if line.month == month
    ]


def chain_of(rated: RatedMonth, documents: Sequence[Document]) -> MonthChain:
    """A month step by step.

    Args:
        rated: as the ledger has it.
        documents: of the tenant, in the order of issuing.
    """
    sealed = last_seal(documents, rated.month)
    billed = billed_lines(documents, rated.month)
    should, has = total_pico(rated.lines), total_pico(billed)
    return MonthChain(
        tenant=rated.tenant,
        month=rated.month,
        requests=requests_in(rated.seal),
        sealed_requests=None if sealed is None else requests_in(sealed),
        tokens=tokens_in(rated.seal),
        rated_tokens=_tokens(rated.lines),
        billed_tokens=_tokens(billed),
        money=tuple(
            Money(currency=c, rated=exact(should.get(c, 0)), billed=exact(has.get(c, 0)))
            for c in sorted(should.keys() | has.keys())
        ),
    )


def _tokens(lines: Sequence[RatedLine]) -> int:
    return sum(line.quantity for line in lines if line.meter.is_tokens)


def use_differences(rated: RatedMonth, documents: Sequence[Document]) -> Iterator[Difference]:
    """What differs between ledger, the use that was billed, and the rated lines of a month.

    Lines are left out where price versions are gone; those are named instead.
    """
    sealed = last_seal(documents, rated.month)
    if sealed is not None:
        yield from _events(rated, sealed)
        yield from _held(rated, sealed)
    for version in rated.gone:
        yield _gone(rated, version)
    if rated.gone:
        return
    apart = difference(rated.lines, billed_lines(documents, rated.month))
    if not apart:
        return
    explained = _explained(rated, documents, apart)
    for line in apart:
        yield _line(line, explained=explained)


def _gone(rated: RatedMonth, version: str) -> Difference:
    return Difference(
        level=Level.LINES,
        finding=Finding.MISSING,
        subject=version,
        tenant=rated.tenant,
        month=rated.month,
        text=f"price version {version} of month {rated.month} is gone from the books: what "
        f"{rated.tenant} was billed for it cannot be rated again",
    )


def _explained(
    rated: RatedMonth, documents: Sequence[Document], apart: Sequence[RatedLine]
) -> bool:
    """True if events or credit notes since the last invoice are why lines differ, to the token."""
    waiting = unbilled(documents, {rated.month: rated.seal})
    if waiting is None:
        return True  # nothing is known of what was billed: the next invoice corrects it
    found: Amounts = {}
    for line in apart:
        owner = line.model if line.meter.is_tokens else line.accelerator
        added(found, {(owner, COMMODITIES[line.meter]): line.quantity})
    again = {key: count for key, count in found.items() if count}
    asked = {key: count for key, count in waiting.items() if count}
    sealed = last_seal(documents, rated.month)
    changed = sealed is not None and _bare(sealed) != _bare(rated.seal)
    return again == asked and bool(changed or asked)


def _bare(seal: Seal) -> object:
    return seal.tokens, seal.held, seal.cells


def _events(rated: RatedMonth, sealed: Seal) -> Iterator[Difference]:
    apart = seal_difference(sealed, rated.seal)
    if not apart.all_named and rated.earlier is not None:
        # More was corrected than can be told one by one: without that, what else differs can.
        other = seal_difference(sealed, rated.earlier)
        if other.all_named:
            yield _corrections(rated, rated.earlier)
            apart = other
    gone = {event.request_id: event for event in apart.gone}
    come = {event.request_id: event for event in apart.come}
    for id_ in sorted(gone.keys() | come.keys()):
        yield _event(rated, id_, gone.get(id_), come.get(id_))
    if not apart.all_named:
        tokens = tokens_in(rated.seal) - tokens_in(sealed)
        count = requests_in(rated.seal) - requests_in(sealed)
        moved = added(of_seal(rated.seal), of_seal(sealed), -1)
        detail = ", ".join(f"{n:+,} {c} of {o}" for (o, c), n in sorted(moved.items()) if n)
        fewer = count < 0 or any(n < 0 for n in moved.values())
        yield Difference(
            level=Level.EVENTS,
            finding=Finding.DIFFERENT if fewer else Finding.LATE,
            is_fault=fewer,
            subject=f"{rated.tenant}/{rated.month}",
            tenant=rated.tenant,
            month=rated.month,
            text=f"more events of {rated.tenant} in {rated.month} differ than can be named one by "
            f"one: {count:+,} requests, {detail or 'no other sums'}",
            tokens=tokens,
        )


def _corrections(rated: RatedMonth, earlier: Seal) -> Difference:
    """What corrections changed since the month was billed, in one."""
    moved = added(of_seal(rated.seal), of_seal(earlier), -1)
    detail = ", ".join(f"{n:+,} {c} of {o}" for (o, c), n in sorted(moved.items()) if n)
    return Difference(
        level=Level.EVENTS,
        finding=Finding.CORRECTED,
        is_fault=False,
        subject=f"{rated.tenant}/{rated.month}",
        tenant=rated.tenant,
        month=rated.month,
        text=f"more events of {rated.tenant} in {rated.month} were corrected since they were "
        f"billed than can be named one by one: {detail or 'no sums of tokens'}; the next invoice "
        "corrects them",
        tokens=tokens_in(rated.seal) - tokens_in(earlier),
    )


def _event(
    rated: RatedMonth, id_: str, gone: SealedEvent | None, come: SealedEvent | None
) -> Difference:
    tokens = _sum(come) - _sum(gone)
    whose = f"event {id_} of {rated.tenant}, {rated.month}"
    if gone is None:
        assert come is not None
        finding = Finding.LATE
        said = f"came after closing with {_counts(come)}; it will be a correction"
    elif come is None:
        finding, said = Finding.MISSING, f"was billed with {_counts(gone)} and is not in the ledger"
    else:
        finding = Finding.DIFFERENT
        now = _counts(come)
        same = now == _counts(gone)
        what = "other status, place or price version" if same else now
        said = f"was billed with {_counts(gone)}; the ledger has {what}"
        if id_ in rated.corrections:
            finding = Finding.CORRECTED
            said += f" by correction {rated.corrections[id_]}; the next invoice corrects it"
    return Difference(
        level=Level.EVENTS,
        finding=finding,
        is_fault=finding not in (Finding.LATE, Finding.CORRECTED),
        subject=id_,
        tenant=rated.tenant,
        month=rated.month,
        text=f"{whose}, {said}",
        tokens=tokens,
    )


def _sum(event: SealedEvent | None) -> int:
    return 0 if event is None else event.input_tokens + event.output_tokens


def _counts(event: SealedEvent) -> str:
    model = f" of {event.model}" if event.model else ""
    cached = f" ({event.cached_tokens:,} cached)" if event.cached_tokens else ""
    reasoning = f" ({event.reasoning_tokens:,} reasoning)" if event.reasoning_tokens else ""
    return (
        f"{event.input_tokens:,} tokens in{cached}, {event.output_tokens:,} out{reasoning}{model}"
    )


def _held(rated: RatedMonth, sealed: Seal) -> Iterator[Difference]:
    before = {(h.holder, h.accelerator): h.held_ns for h in sealed.held}
    now = {(h.holder, h.accelerator): h.held_ns for h in rated.seal.held}
    for key in sorted(before.keys() | now.keys()):
        apart = now.get(key, 0) - before.get(key, 0)
        if apart:
            yield Difference(
                level=Level.EVENTS,
                finding=Finding.LATE if apart > 0 else Finding.MISSING,
                is_fault=apart < 0,
                subject=key[0],
                tenant=rated.tenant,
                month=rated.month,
                text=f"{key[0]} held {key[1]} of {rated.tenant} in {rated.month} for "
                f"{now.get(key, 0) / HOUR_NS:,.6f} accelerator-hours by the ledger, "
                f"{before.get(key, 0) / HOUR_NS:,.6f} were billed",
            )


def _than(apart: int | Decimal) -> str:
    return "more" if apart >= 0 else "less"


def _line(line: RatedLine, *, explained: bool) -> Difference:
    """A line of what is not billed as it should be; quantities and amounts are should less has."""
    kind = line.meter.value.replace("_", " ")
    much = abs(line.quantity)
    quantity = (
        f"{much:,} tokens" if line.meter.is_tokens else f"{much / HOUR_NS:,.6f} accelerator-hours"
    )
    more = [line.status, *line.adjustments]
    more += [f"contract {line.contract}"] if line.contract else []
    more += [f"tier {line.tier + 1}"] if line.tier else []
    name = ", ".join(filter(None, [line.model or line.accelerator, kind, *more]))
    amount = exact(-line.pico)
    and_money = f"{quantity} {_than(-line.quantity)}"
    if amount:
        and_money += f" and {abs(amount):,f} {line.currency} {_than(amount)}"
    end = "; the next invoice corrects it" if explained else ""
    return Difference(
        level=Level.LINES,
        finding=Finding.LATE if explained else Finding.DIFFERENT,
        is_fault=not explained,
        subject=name,
        tenant=line.tenant,
        month=line.month,
        text=f"rated line of {line.tenant}, {line.month}, {name}: {and_money} "
        f"were billed than the ledger asks for{end}",
        tokens=-line.quantity if line.meter.is_tokens else 0,
        currency=line.currency,
        amount=amount,
    )
