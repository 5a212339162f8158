"""The pack of a facility and month, and all packs."""

from __future__ import annotations

from collections.abc import Sequence

from neocloud.finance.arithmetic import Exact
from neocloud.finance.lender.borrowing import borrowing_base
from neocloud.finance.lender.certificate import certificate_of
from neocloud.finance.lender.collateral import collateral_of, tape_of
from neocloud.finance.lender.records import LenderPack, LenderPacks, Terms
from neocloud.finance.measures import CovenantTest, covenant_tests
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Facility, Inputs

USUAL = Terms()
"""The assumptions of `Terms`."""


def lender_pack(
    inputs: Inputs, outcome: Outcome, facility: str, month: str, terms: Terms = USUAL
) -> LenderPack:
    """The pack of one facility as of the end of one month.

    Args:
        inputs: what was run.
        outcome: of an exact run of it.
        facility: facility key.
        month: `2026-10`.
        terms: what is assumed where the facility does not say it.

    Raises:
        KeyError: there is no such facility or month.
    """
    own = {item.key: item for item in inputs.facilities}[facility]
    if month not in inputs.months.labels:
        raise KeyError(month)
    tests = covenant_tests(Exact(), inputs, outcome, terms.definition)
    return _pack(inputs, outcome, own, inputs.months.labels.index(month), terms, tests)


def summary(inputs: Inputs, outcome: Outcome, terms: Terms = USUAL) -> LenderPacks:
    """The packs of all facilities and months. Arguments as in `lender_pack`."""
    tests = covenant_tests(Exact(), inputs, outcome, terms.definition)
    return LenderPacks(
        packs=tuple(
            _pack(inputs, outcome, facility, month, terms, tests)
            for facility in inputs.facilities
            for month in range(inputs.months.count)
        )
    )


def _pack(
    inputs: Inputs,
    outcome: Outcome,
    facility: Facility,
    month: int,
    terms: Terms,
    tests: Sequence[CovenantTest],
) -> LenderPack:
    collateral = collateral_of(inputs, outcome, facility, month, terms)
    return LenderPack(
        cloud=inputs.name,
        facility=facility.key,
        month=inputs.months.labels[month],
        currency=inputs.currency,
        certificate=certificate_of(outcome, facility.key, month, tests, terms.definition),
        base=borrowing_base(inputs, outcome, facility, month, collateral, terms),
        tape=tape_of(inputs, collateral),
    )
