"""The token tier: what moving tokens costs, tokens of others, and what tokens sell for.

Tokens are whole numbers and so are their prices, in 1e-12 of the currency each: nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from fractions import Fraction

from neocloud.activity import Purpose
from neocloud.books.tiers.cells import REMOTE, Cell, Served, Usage
from neocloud.books.tiers.items import Account, Item
from neocloud.books.tiers.spans import Grain
from neocloud.ledger import UsageEvent
from neocloud.planner.rates import ANSWER_BYTES_PER_TOKEN, GIGA, PROMPT_BYTES_PER_TOKEN
from neocloud.spec import Cloud, TokenPrices
from neocloud.units import PICO, price_per_token


def billed(events: Iterable[UsageEvent], statuses: Collection[str]) -> dict[Cell, Served]:
    """Requests and tokens that tenants pay for, by cell and hour: those of some statuses."""
    sums: dict[Cell, list[int]] = {}
    for e in events:
        if e.status in statuses:
            time = Grain.HOUR.named(e.admitted_ns)
            cell = Cell(e.site, e.pool, e.model, e.tenant, Purpose.INFERENCE.value, time)
            own = sums.setdefault(cell, [0, 0, 0, 0])
            own[0] += 1
            own[1] += e.input_tokens
            own[2] += e.cached_tokens
            own[3] += e.output_tokens
    return {
        cell: Served(requests=n, input_tokens=i, cached_tokens=c, output_tokens=o)
        for cell, (n, i, c, o) in sums.items()
    }


def pico_of(what: Served, prices: TokenPrices) -> int:
    """Tokens at prices per million, in 1e-12 of their currency."""
    return (
        (what.input_tokens - what.cached_tokens) * price_per_token(prices.input)
        + what.cached_tokens * price_per_token(prices.cached_input)
        + what.output_tokens * price_per_token(prices.output)
    )


def paid_by_the_hour(cloud: Cloud, tenant: str, model: str) -> bool:
    """True where a tenant has a dedicated contract for a model, so that tokens cost nothing."""
    return any((c.tenant, c.model, c.kind) == (tenant, model, "dedicated") for c in cloud.contracts)


def sold_pico(cloud: Cloud, sold: Mapping[Cell, Served]) -> dict[Cell, int]:
    """What tokens sell for at the file's list prices.

    Those of a tenant that has a dedicated contract for the model are paid for by the hour, there.
    """
    return {
        cell: pico_of(what, cloud.models[cell.model].price_per_mtok)
        for cell, what in sold.items()
        if cell.model in cloud.models and not paid_by_the_hour(cloud, cell.tenant, cell.model)
    }


def token_items(cloud: Cloud, usage: Usage) -> Iterator[Item]:
    """Traffic to and from users by the gigabyte, and tokens bought of others."""
    moved: dict[str, dict[Cell, int]] = {}
    for cell, what in usage.served.items():
        if not cell.site:
            continue
        if cell.site == REMOTE:
            remote = cloud.gateway.remotes.get(cell.pool)
            if remote is not None and remote.price_per_mtok is not None:
                exact = Fraction(pico_of(what, remote.price_per_mtok), PICO)
                if exact:
                    yield Item(
                        site=REMOTE, account=Account.BOUGHT, exact=exact, weights={cell: 1.0}
                    )
            continue
        number = int(PROMPT_BYTES_PER_TOKEN) * what.input_tokens
        number += int(ANSWER_BYTES_PER_TOKEN) * what.output_tokens
        if number:
            moved.setdefault(cell.site, {})[cell] = number
    for site, cells in moved.items():
        exact = sum(cells.values()) * _per_gb(cloud, site) / int(GIGA)
        if exact:
            weights = {cell: float(number) for cell, number in cells.items()}
            yield Item(site=site, account=Account.TRAFFIC, exact=exact, weights=weights)


def _per_gb(cloud: Cloud, site: str) -> Fraction:
    """Price of traffic at a site, own or rented, in the cloud's currency."""
    if site in cloud.sites:
        price = cloud.sites[site].network_usd_per_gb
    else:
        assert cloud.rental is not None, "only what is rented stands elsewhere"
        price = cloud.rental.network_usd_per_gb
    return Fraction(price) * Fraction(cloud.rate("USD"))
