"""What a cloud may rent: one price for each provider, metro and accelerator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from neocloud.catalog import Catalog, RentalPrice
from neocloud.spec import Cloud, Rental

_PREFIX = "rented-"
_OBLIGATION = ("on-demand", "spot", "reserved")
"""Of tiers of one price the first counts: no obligation and no end before it is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RentedPool:
    """Accelerators that can be rented of one provider in one metro.

    Attributes:
        site: stands for the place in the plan: `provider-metro`, and no site of the file.
        metro: where it is, or the nearest metro where data-center space is bought.
        provider: who asks the price.
        region: its own name for the place; empty where the price holds in all of its regions.
        tier: `on-demand`, `reserved` or `spot`.
        term_months: of the reservation; 0 for the other tiers.
        accelerator: key of the catalog.
        price: of an accelerator-hour, in the cloud's currency, exact.
        date: when the price was collected; a year where no day is told.
        source: key of who collected it.
    """

    site: str
    metro: str
    provider: str
    region: str
    tier: str
    term_months: int
    accelerator: str
    price: Decimal
    date: str
    source: str

    @property
    def price_per_accelerator_hour(self) -> float:
        """The price for the planner, in the cloud's currency."""
        return float(self.price)


def rented_pools(cloud: Cloud, catalog: Catalog) -> tuple[RentedPool, ...]:
    """What `cloud.rental` allows, by provider, metro and accelerator; empty without it.

    The price is the median of a provider's offers. Of the prices of one tier, term and region the
    one of the latest date counts (a date that is only a year is the earliest of that year); of
    several sources of that date the one in the middle, the lower of two. Of several tiers, terms
    and regions in one metro the cheapest counts; where they cost the same, on demand before spot
    before the shortest reservation.

    Left out are providers of which no place is known, tiers that the file does not ask for, names
    that are no accelerator of the catalog (`h100`, of which the form is not told), prices above
    `max_price_per_accelerator_hour`, and, as for pools of one's own, accelerators of which no
    end-to-end result is known unless the file names them.

    Args:
        cloud: a checked cloud.
        catalog: as the cloud sees it.
    """
    rental = cloud.rental
    if rental is None:
        return ()
    per_usd = cloud.rate("USD")
    limit = rental.max_price_per_accelerator_hour
    if limit is not None:
        limit *= cloud.rate(rental.currency or cloud.currency)
    pools = []
    for (provider, metro, accelerator), offers in sorted(_offers(rental, catalog).items()):
        best = min(_current(offers), key=_preference)
        price = best.median * per_usd
        if limit is not None and price > limit:
            continue
        pools.append(
            RentedPool(
                site=_site(provider, metro, cloud),
                metro=metro,
                provider=provider,
                region=best.region,
                tier=best.tier,
                term_months=best.term_months,
                accelerator=accelerator,
                price=price,
                date=best.date,
                source=best.source,
            )
        )
    return tuple(pools)


def _offers(rental: Rental, catalog: Catalog) -> dict[tuple[str, str, str], list[RentalPrice]]:
    """All prices that the file asks for, by provider, metro and accelerator."""
    found: dict[tuple[str, str, str], list[RentalPrice]] = {}
    for offer in catalog.rental_prices:
        if offer.provider not in rental.providers or offer.tier not in rental.tiers:
            continue
        if not _allowed(offer.accelerator, rental, catalog):
            continue
        for place in catalog.places(offer.provider, offer.region):
            key = (offer.provider, place.metro, offer.accelerator)
            found.setdefault(key, []).append(offer)
    return found


def _allowed(accelerator: str, rental: Rental, catalog: Catalog) -> bool:
    if accelerator not in catalog.accelerators:
        return False
    if rental.accelerators is None:
        return catalog.accelerators[accelerator].measured
    return accelerator in rental.accelerators


def _current(offers: Iterable[RentalPrice]) -> list[RentalPrice]:
    """The latest price of each tier, term and region; of several the one in the middle."""
    kinds: dict[tuple[str, str, int], list[RentalPrice]] = {}
    for offer in offers:
        kinds.setdefault((offer.region, offer.tier, offer.term_months), []).append(offer)
    found = []
    for same in kinds.values():
        latest = max(offer.date for offer in same)
        ranked = sorted(
            (offer for offer in same if offer.date == latest),
            key=lambda offer: (offer.median, offer.source),
        )
        found.append(ranked[(len(ranked) - 1) // 2])
    return found


def _preference(offer: RentalPrice) -> tuple[Decimal, int, int, str]:
    return offer.median, _OBLIGATION.index(offer.tier), offer.term_months, offer.region


def _site(provider: str, metro: str, cloud: Cloud) -> str:
    """A key that no site of the file has, the same for all accelerators of the place."""
    key = f"{provider}-{metro}"
    while key in cloud.sites:
        key = _PREFIX + key
    return key
