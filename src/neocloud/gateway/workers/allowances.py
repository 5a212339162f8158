"""The quotas of a worker: alone, with its siblings of this machine, or with other gateways."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable

from neocloud.gateway.settings import Settings
from neocloud.gateway.workers.post import Post
from neocloud.gateway.workers.spent import of_worker, spent_this_month
from neocloud.quotas import Bank, EmbeddedBank, Quotas, SharedBank, quotas_path


async def allowances(settings: Settings, post: Post) -> Quotas:
    """The quotas of a worker, begun with what its ledger shows that it has spent.

    Raises:
        BankError: the store of the quotas cannot be used.
        LedgerError: the ledger cannot be read.
    """
    quotas = _quotas(settings, post, post.number, _bank(settings))
    await quotas.start(await spent_by(settings, post, settings.rules.budgets))
    return quotas


async def spent_by(settings: Settings, post: Post, tenants: Collection[str]) -> dict[str, int]:
    """What tenants have spent this month, as far as this worker answers for it.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    alone = settings.quotas is None and settings.workers == 1
    counts = None if alone else of_worker(post, shared=_shared(settings))
    return await asyncio.to_thread(
        spent_this_month, settings.ledger, settings.rules, time.time_ns(), tenants, counts
    )


async def retire(settings: Settings, post: Post, numbers: Iterable[int]) -> None:
    """Close the books of workers that will not start again: the first answers for what they spent.

    Raises:
        BankError: the store of the quotas cannot be used.
    """
    for number in numbers:
        bank = _bank(settings)
        if bank is None:
            return
        quotas = _quotas(settings, post, number, bank)
        await quotas.start({})
        await quotas.close()


def _quotas(settings: Settings, post: Post, number: int, bank: Bank | None) -> Quotas:
    return Quotas(
        settings.rules.limits, bank, worker=post.name_of(number), workers=settings.workers
    )


def _bank(settings: Settings) -> Bank | None:
    if settings.quotas is not None:
        return SharedBank(settings.quotas)
    if settings.workers > 1:
        place = settings.ledger
        return EmbeddedBank(quotas_path(place.path or place.segments))
    return None


def _shared(settings: Settings) -> bool:
    """Whether other gateways may write to the same ledger."""
    return settings.quotas is not None and settings.ledger.path is None
