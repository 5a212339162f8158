"""Contracts as charges refer to them: which commitment, and how much of it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from neocloud.books.contracts import ChargeKind, Terms
from neocloud.books.focus.figures import json_text
from neocloud.books.invoices import Line

TOKENS = "Tokens"
ACCELERATOR_HOURS = "Accelerator-Hours"
_NOT_SPEND = frozenset({ChargeKind.PREPAYMENT, ChargeKind.RELEASE, ChargeKind.SERVICE_CREDIT})
"""Charges that a minimum spend does not count, as invoices have it."""


class _Quantity(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """So much of a commitment was used."""

    contract_id: str
    contract_commitment_id: str
    contract_commitment_applied_quantity: Decimal
    contract_commitment_applied_unit: str


class _Cost(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """So much money counts towards a commitment."""

    contract_id: str
    contract_commitment_id: str
    contract_commitment_applied_cost: Decimal


class _Applied(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    elements: tuple[_Quantity | _Cost, ...]


def commitment_id(contract: str) -> str:
    """Id of what a contract commits to, for its whole term."""
    return f"{contract}/term"


def minimum_id(tenant: str, month: str = "") -> str:
    """Contract of a tenant's minimum spend; with a month the commitment of that month."""
    return f"{tenant}/minimum-spend" + (f"/{month}" if month else "")


def unit_of(terms: Terms) -> str:
    """What a contract's quantities are counted in."""
    return TOKENS if terms.counts_tokens else ACCELERATOR_HOURS


def applied_of(
    line: Line, terms: Terms | None, quantity: Decimal | None, cost: Decimal, minimum: str
) -> str:
    """ContractApplied of a charge; empty where no commitment is touched.

    Args:
        line: that is charged.
        terms: of its contract; None for none.
        quantity: of the charge; None where it has none.
        cost: effective cost of the charge.
        minimum: tenant whose minimum spend it may count for; empty for none.
    """
    found: list[_Quantity | _Cost] = []
    if terms is not None:
        ids = {"contract_id": terms.name, "contract_commitment_id": commitment_id(terms.name)}
        is_tokens = line.unit == "token"
        if quantity is not None and is_tokens == terms.counts_tokens:
            found.append(
                _Quantity(
                    **ids,
                    contract_commitment_applied_quantity=quantity,
                    contract_commitment_applied_unit=unit_of(terms),
                )
            )
        elif quantity is None:
            found.append(_Cost(**ids, contract_commitment_applied_cost=cost))
    if minimum and line.charge not in _NOT_SPEND:
        found.append(
            _Cost(
                contract_id=minimum_id(minimum),
                contract_commitment_id=minimum_id(minimum, line.month),
                contract_commitment_applied_cost=cost,
            )
        )
    return json_text(_Applied(elements=tuple(found))) if found else ""


def commitments_named(line: Line, bill_minimum: str) -> tuple[str, str]:
    """Contract of a line and month of a minimum spend that it counts for; empty for none."""
    counts = bill_minimum and line.charge not in _NOT_SPEND
    return line.contract, line.month if counts else ""
