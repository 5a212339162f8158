"""What the catalog knows of prices: rented accelerators and tokens. Money is exact."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from neocloud.catalog.records import Grade


@dataclass(frozen=True, slots=True)
class RentalPrice:
    """What a provider asks for one accelerator and hour, in USD: one term, region and date.

    Attributes:
        accelerator: catalog key, or a name of its own where offers say too little (`h100`).
        provider: one name for each, such as `lambda` or `aws`.
        tier: `on-demand`, `reserved` or `spot`.
        term_months: of a reservation; 0 for the others.
        region: the provider's own name for it; empty where all are meant or none is told.
        low: the cheapest of its offers, which differ in size or class of node.
        median: the one in the middle.
        high: the dearest.
        offers: how many there are.
        date: when they were collected.
        source: who collected them.
    """

    accelerator: str
    provider: str
    tier: str
    term_months: int
    region: str
    low: Decimal
    median: Decimal
    high: Decimal
    offers: int
    date: str
    source: str


@dataclass(frozen=True, slots=True)
class ProviderRegion:
    """Where one region of a provider stands; several where a price holds in several places.

    Attributes:
        provider: as in the rental prices.
        region: as in the rental prices; empty and `global` stand for all of its regions.
        metro: the metro, or the nearest one where data-center space is bought.
        source: who says so.
        date: when.
        grade: published where the place itself is told, derived where only a state or a town near
            by is, assumed where it is remembered.
        note: what is told, and how far off the metro is.
    """

    provider: str
    region: str
    metro: str
    source: str
    date: str
    grade: Grade
    note: str


@dataclass(frozen=True, slots=True)
class RentalMonth:
    """What a provider asked in a month, USD per accelerator and hour, over the days collected."""

    accelerator: str
    provider: str
    tier: str
    month: str
    low: Decimal
    median: Decimal
    high: Decimal
    days: int
    source: str


@dataclass(frozen=True, slots=True)
class RentalRange:
    """On-demand prices of one accelerator over all sellers, USD an hour; each seller counts once.

    `median` is the middle of the sellers' own medians; `date` is that of the latest offer.
    """

    accelerator: str
    low: Decimal
    median: Decimal
    high: Decimal
    sellers: int
    date: str


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """What a provider asks for a million tokens of a model, USD; None where it names no price."""

    provider: str
    model: str
    """As the provider calls it."""
    key: str
    """The model's name alone, in lower case: offers of one model share it."""
    input: Decimal | None
    output: Decimal | None
    cached_input: Decimal | None
    cache_write: Decimal | None
    context_tokens: int
    """Longest context offered; 0 where it is not told."""
    status: str
    """alpha, beta or deprecated; empty for the rest."""
    date: str
    source: str


@dataclass(frozen=True, slots=True)
class PriceList:
    """Every price that a name stands for: an accelerator's, a provider's or a model's.

    `regions` says where the sellers of its rentals stand, as far as it is known.
    """

    name: str
    rentals: tuple[RentalPrice, ...]
    history: tuple[RentalMonth, ...]
    tokens: tuple[TokenPrice, ...]
    regions: tuple[ProviderRegion, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of the sources that its prices name, each once."""
        parts = (
            *(rental.source for rental in self.rentals),
            *(month.source for month in self.history),
            *(offer.source for offer in self.tokens),
            *(region.source for region in self.regions),
        )
        return tuple(dict.fromkeys(parts))
