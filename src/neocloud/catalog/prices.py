"""What accelerators rent for and what tokens of open-weights models cost, by provider and date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from statistics import median

from neocloud.catalog.price_records import (
    PriceList,
    ProviderRegion,
    RentalMonth,
    RentalPrice,
    RentalRange,
    TokenPrice,
)
from neocloud.catalog.records import CatalogError, Grade
from neocloud.catalog.tables import nearest, read_rows

# What a published name adds to its model: precision, tuning, form of the weights.
_SUFFIX = re.compile(r"-(?:fp8|fp4|nvfp4|mxfp4|bf16|instruct|it|hf|chat|static-pertensor)$")


def model_key(name: str) -> str:
    """The key under which a model's token prices stand: `Qwen/Qwen3-32B-FP8` is `qwen3-32b`."""
    key = name.rpartition("/")[2].lower().removeprefix("meta-")
    while (shorter := _SUFFIX.sub("", key)) != key:
        key = shorter
    return key


@cache
def read_rentals() -> tuple[RentalPrice, ...]:
    """All rental prices, by accelerator and provider."""
    return tuple(
        RentalPrice(
            accelerator=row["accelerator"],
            provider=row["provider"],
            tier=row["tier"],
            term_months=int(row["term_months"]),
            region=row["region"],
            low=Decimal(row["usd_low"]),
            median=Decimal(row["usd_median"]),
            high=Decimal(row["usd_high"]),
            offers=int(row["offers"]),
            date=row["date"],
            source=row["source"],
        )
        for row in read_rows("rental_prices.csv")
    )


@cache
def read_rental_history() -> tuple[RentalMonth, ...]:
    """Rental prices by month, by accelerator and provider."""
    return tuple(
        RentalMonth(
            accelerator=row["accelerator"],
            provider=row["provider"],
            tier=row["tier"],
            month=row["month"],
            low=Decimal(row["usd_low"]),
            median=Decimal(row["usd_median"]),
            high=Decimal(row["usd_high"]),
            days=int(row["days"]),
            source=row["source"],
        )
        for row in read_rows("rental_history.csv")
    )


@cache
def read_provider_regions() -> tuple[ProviderRegion, ...]:
    """Where providers stand, by provider, region and metro."""
    return tuple(
        ProviderRegion(
            provider=row["provider"],
            region=row["region"],
            metro=row["metro"],
            source=row["source"],
            date=row["date"],
            grade=Grade(row["grade"]),
            note=row["note"],
        )
        for row in read_rows("provider_regions.csv")
    )


@cache
def read_token_prices() -> tuple[TokenPrice, ...]:
    """All token prices, by provider and model."""
    return tuple(_token_price(row) for row in read_rows("token_prices.csv.gz"))


def _token_price(row: Mapping[str, str]) -> TokenPrice:
    def price(kind: str) -> Decimal | None:
        text = row[f"usd_{kind}"]
        return Decimal(text) if text else None

    return TokenPrice(
        provider=row["provider"],
        model=row["model"],
        key=row["key"],
        input=price("input"),
        output=price("output"),
        cached_input=price("cached_input"),
        cache_write=price("cache_write"),
        context_tokens=int(row["context_tokens"] or 0),
        status=row["status"],
        date=row["date"],
        source=row["source"],
    )


def rental_range(accelerator: str) -> RentalRange | None:
    """On-demand prices of an accelerator over all sellers; None where nobody offers it."""
    offers = [r for r in read_rentals() if r.accelerator == accelerator and r.tier == "on-demand"]
    if not offers:
        return None
    sellers: dict[str, list[Decimal]] = {}
    for offer in offers:
        sellers.setdefault(offer.provider, []).append(offer.median)
    return RentalRange(
        accelerator=accelerator,
        low=min(offer.low for offer in offers),
        median=Decimal(median(median(own) for own in sellers.values())),
        high=max(offer.high for offer in offers),
        sellers=len(sellers),
        date=max(offer.date for offer in offers),
    )


def find_prices(name: str) -> PriceList:
    """All prices of the accelerator, the provider or the model `name`.

    Raises:
        CatalogError: nothing has that name; with the nearest that have a price.
    """
    wanted, model = name.lower(), model_key(name)
    rentals = tuple(r for r in read_rentals() if wanted in (r.accelerator, r.provider))
    history = tuple(m for m in read_rental_history() if wanted in (m.accelerator, m.provider))
    tokens = tuple(
        t
        for t in read_token_prices()
        if wanted in (t.provider, t.model.lower()) or model_key(t.key) == model
    )
    if not rentals and not history and not tokens:
        known = tuple(_names())
        near = nearest(name, known) or nearest(model, known)
        hint = f"nearest: {', '.join(near)}" if near else "see `neocloud catalog prices`"
        raise CatalogError(
            f"the catalog has no price of an accelerator, a provider or a model {name!r}; {hint}",
            near,
        )
    offered = {(rental.provider, rental.region) for rental in rentals}
    regions = tuple(r for r in read_provider_regions() if (r.provider, r.region) in offered)
    return PriceList(name, rentals, history, tokens, regions)


def _names() -> dict[str, None]:
    """All names that have a price, accelerators first."""
    names = dict.fromkeys(r.accelerator for r in read_rentals())
    names |= dict.fromkeys(r.provider for r in read_rentals())
    names |= dict.fromkeys(t.provider for t in read_token_prices())
    names |= dict.fromkeys(t.key for t in read_token_prices())
    return names
