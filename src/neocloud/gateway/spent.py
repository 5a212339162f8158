"""What tenants with a budget have spent in the present month, by the ledger."""

from __future__ import annotations

from neocloud.gateway.rules import Rules
from neocloud.ledger import LedgerPlace, Reader, Status
from neocloud.units import format_utc, parse_period

BILLED = frozenset({Status.COMPLETED, Status.ABORTED})
"""Statuses that a tenant's budget pays for."""


def spent_this_month(place: LedgerPlace, rules: Rules, now_ns: int) -> dict[str, int]:
    """Money in 1e-12 of the currency, by tenant, rated at the prices in force now.

    Only tenants with a budget are looked at; without any, nothing is read.
    """
    limited = {
        name
        for name, rule in rules.tenants.items()
        if rule.limit is not None and rule.limit.budget is not None
    }
    spent = dict.fromkeys(limited, 0)
    if not limited:
        return spent
    month = parse_period(format_utc(now_ns)[:7])
    for event in Reader(place).usage(month):
        if event.tenant in limited and event.status in BILLED:
            rule = rules.models.get(event.model)
            if rule is not None:
                spent[event.tenant] += rule.price.of(event)
    return spent
