"""Service levels: what contracts promise, measured from events, and what is given back."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from neocloud.books.contracts.records import ServiceCount, Terms, TermsStep
from neocloud.books.prices import TokenBill
from neocloud.ledger import Status, UsageEvent

_MS_NS = 1_000_000


class ServiceWatch:
    """Counts by what the promises of `dedicated` and `provisioned` contracts are measured."""

    def __init__(self, terms: Sequence[Terms]) -> None:
        self._terms = [
            t
            for t in terms
            if t.prices.bill is not TokenBill.NONE and (t.availability or t.latency)
        ]
        self.counts = {t.name: ServiceCount() for t in self._terms}

    def note(self, event: UsageEvent) -> None:
        """Count an event of the contracts' tenant."""
        for terms in self._terms:
            if event.model == terms.prices.model and terms.runs_at(event.admitted_ns):
                self.counts[terms.name] = _counted(self.counts[terms.name], terms, event)


def given_back(steps: Sequence[TermsStep], share: Fraction | None) -> Fraction:
    """Share of the charges that is given back: of the deepest step that was missed."""
    if share is None:
        return Fraction(0)
    missed = [step.credit_share for step in steps if share < Fraction(step.below)]
    return Fraction(missed[-1]) if missed else Fraction(0)


def share_of(part: int, whole: int) -> Fraction | None:
    """A share; None of nothing."""
    return Fraction(part, whole) if whole else None


def shown(share: Fraction | None) -> Decimal | None:
    """A share to nine decimals."""
    if share is None:
        return None
    return Decimal(round(share * 10**9)).scaleb(-9).normalize()


def _counted(count: ServiceCount, terms: Terms, event: UsageEvent) -> ServiceCount:
    """The count with one more request. What its own client broke off says nothing of us."""
    if event.status is Status.ABORTED:
        return count
    answered = event.status is Status.COMPLETED
    fast = _in_time(terms, event) if answered else None
    return ServiceCount(
        asked=count.asked + 1,
        answered=count.answered + answered,
        timed=count.timed + (fast is not None),
        in_time=count.in_time + bool(fast),
    )


def _in_time(terms: Terms, event: UsageEvent) -> bool | None:
    """Whether an answer kept the promised times; None where they cannot be seen."""
    after_first = max(0, event.output_tokens - 1)
    if not event.streamed or not event.first_token_ns:
        # Of an unstreamed answer only the end is seen: it must come when the last token of a stream
        # would that just keeps both times.
        if not (terms.ttft_ms and terms.tpot_ms):
            return None
        took = event.finished_ns - event.admitted_ns
        return took <= (terms.ttft_ms + after_first * terms.tpot_ms) * _MS_NS
    if terms.ttft_ms and event.first_token_ns - event.admitted_ns > terms.ttft_ms * _MS_NS:
        return False
    if not after_first:
        return True
    rest = event.finished_ns - event.first_token_ns
    return not terms.tpot_ms or rest <= after_first * terms.tpot_ms * _MS_NS
