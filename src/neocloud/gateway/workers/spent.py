"""What tenants with a budget have spent in the present month, by the ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection

from neocloud.gateway.requests.ids import admitted_by
from neocloud.gateway.tenants.rules import Rules
from neocloud.gateway.workers.post import Post
from neocloud.ledger import LedgerPlace, Reader, Status, UsageEvent
from neocloud.units import format_utc, parse_period

BILLED = frozenset({Status.COMPLETED, Status.ABORTED})
"""Statuses that a tenant's budget pays for."""


def spent_this_month(
    place: LedgerPlace,
    rules: Rules,
    now_ns: int,
    tenants: Collection[str],
    counts: Callable[[UsageEvent], bool] | None = None,
) -> dict[str, int]:
    """Money in 1e-12 of the currency, by tenant, rated at the prices in force now.

    Args:
        place: the ledger.
        rules: prices.
        now_ns: present time.
        tenants: who is looked at; for none nothing is read.
        counts: which events count; all unless given.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    spent = dict.fromkeys(tenants, 0)
    if not spent:
        return spent
    month = parse_period(format_utc(now_ns)[:7])
    for event in Reader(place).usage(month):
        if event.tenant not in spent or event.status not in BILLED:
            continue
        rule = rules.models.get(event.model)
        if rule is not None and (counts is None or counts(event)):
            spent[event.tenant] += rule.price.of(event)
    return spent


def of_worker(post: Post, *, shared: bool) -> Callable[[UsageEvent], bool]:
    """Which events a worker answers for, so that each is some worker's.

    Those that it has admitted since the gateway was started, and of those before, all are the
    first's. Of a ledger that is shared with other gateways only this gateway's own count.
    """

    def counts(event: UsageEvent) -> bool:
        gateway, worker = admitted_by(event.request_id)
        if shared and gateway != post.gateway_number:
            return False
        if event.admitted_ns < post.started_ns:
            return post.number == 0
        return worker == post.number

    return counts
