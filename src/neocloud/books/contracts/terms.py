"""From the contracts of the cloud file to `Terms`."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import msgspec

from neocloud.books.contracts.records import Terms, TermsPrepayment, TermsStep
from neocloud.books.prices import ContractTerms, contract_terms
from neocloud.spec import Cloud, Contract, LevelStep, ServiceLevel
from neocloud.units import PICO, SECOND_NS

Piece = tuple[int, int, int, int]
"""Start and end of a span, ns; since when its price holds, and the price, 1e-12."""


def terms_of(cloud: Cloud) -> tuple[Terms, ...]:
    """Terms of all signed contracts, in the order of the file."""
    stated = {contract.key: contract for contract in cloud.contracts}
    return tuple(_terms(stated[prices.name], prices) for prices in contract_terms(cloud))


def _terms(contract: Contract, prices: ContractTerms) -> Terms:
    level = contract.service_level or ServiceLevel()
    tokens = contract.kind == "provisioned"
    made = Terms(
        prices=prices,
        accelerators=0 if tokens else contract.accelerators,
        # The float of the file as it was written: 0.1 is a tenth.
        tokens_per_s=Decimal(str(contract.tokens_per_s)) if tokens else Decimal(0),
        take_or_pay=contract.take_or_pay,
        true_up_months=contract.true_up_months,
        carry_over_months=contract.carry_over_months,
        availability=_steps(level.availability),
        latency=_steps(level.latency),
        ttft_ms=Decimal(str(level.ttft_ms or 0)),
        tpot_ms=Decimal(str(level.tpot_ms or 0)),
    )
    value = _value(made)
    paid = [
        Fraction(p.amount) * PICO if p.amount is not None else value * Fraction(p.share or 0)
        for p in contract.prepayments
    ]
    return msgspec.structs.replace(
        made,
        prepayments=tuple(
            TermsPrepayment(day=p.day, pico=int(pico))
            for p, pico in zip(contract.prepayments, paid, strict=True)
        ),
    )


def _steps(steps: tuple[LevelStep, ...]) -> tuple[TermsStep, ...]:
    return tuple(TermsStep(below=s.below, credit_share=s.credit_share) for s in steps)


def held_in(terms: Terms, start_ns: int, end_ns: int) -> int:
    """What a contract holds for its tenant within the term, rounded down."""
    return int(_held(terms, start_ns, end_ns))


def committed_in(terms: Terms, start_ns: int, end_ns: int) -> int:
    """Of what it holds, what is paid whether used or not, rounded down."""
    return int(_held(terms, start_ns, end_ns) * Fraction(terms.take_or_pay))


def pieces_of(terms: Terms, start_ns: int, end_ns: int) -> tuple[Piece, ...]:
    """The part of a span that lies in the term, cut where the price changes."""
    prices = terms.prices
    start, end = max(start_ns, prices.start_ns), min(end_ns, prices.end_ns)
    if start >= end:
        return ()
    cuts = sorted({start, end, *(since for since, _ in prices.steps if start < since < end)})
    return tuple((a, b, *prices.step_at(a)) for a, b in pairwise(cuts))


def _held(terms: Terms, start_ns: int, end_ns: int) -> Fraction:
    length = max(0, min(end_ns, terms.prices.end_ns) - max(start_ns, terms.prices.start_ns))
    if terms.counts_tokens:
        return Fraction(terms.tokens_per_s) * length / SECOND_NS
    return Fraction(terms.accelerators * length)


def _value(terms: Terms) -> int:
    """What the whole term comes to at its take-or-pay share, 1e-12 of the currency."""
    return sum(
        terms.amount(committed_in(terms, a, b), price)
        for a, b, _, price in pieces_of(terms, terms.prices.start_ns, terms.prices.end_ns)
    )
