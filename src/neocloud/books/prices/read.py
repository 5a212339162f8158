"""From the cloud file to what is rated with: its price version, and the terms of its contracts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import msgspec

from neocloud.books.prices.records import (
    Adjustment,
    ContractTerms,
    HourRate,
    Meter,
    ModelRates,
    PriceVersion,
    Tier,
    Tiering,
    TokenBill,
)
from neocloud.ledger import Status
from neocloud.spec import (
    Cloud,
    Contract,
    ModelPrices,
    PriceAdjustment,
    TieredPrices,
    TokenPricesApart,
)
from neocloud.spec.horizon import months_after
from neocloud.units import PICO, SECOND_NS, price_per_token

_TOKENS = 1_000_000


def price_version(cloud: Cloud) -> PriceVersion:
    """All that the file says about prices of tokens and of accelerator-hours without contract."""
    adjustments = tuple(map(_adjustment, cloud.pricing.adjustments))
    by_priority = any(adjustment.priorities for adjustment in adjustments)
    hours = [
        HourRate(
            accelerator=price.accelerator,
            start_ns=midnight_ns(price.start),
            pico_per_hour=_pico(price.price),
        )
        for price in cloud.pricing.accelerator_hours
    ]
    return PriceVersion(
        currency=cloud.currency,
        billed=tuple(status for status in Status if status.value in cloud.pricing.billed),
        models=tuple(
            rates
            for key in sorted(cloud.models)
            for rates in _model(key, cloud.models[key].price_per_mtok)
        ),
        adjustments=adjustments,
        hours=tuple(sorted(hours, key=lambda rate: (rate.accelerator, rate.start_ns))),
        # Only where they matter: else a change of a tenant's priority would be a new version.
        priorities={key: cloud.tenants[key].priority for key in sorted(cloud.tenants)}
        if by_priority
        else {},
    )


def contract_terms(cloud: Cloud) -> tuple[ContractTerms, ...]:
    """Terms of the signed contracts, in the order of the file."""
    return tuple(_terms(contract) for contract in cloud.contracts if contract.probability == 1)


def midnight_ns(day: date | None) -> int:
    """First moment of a day, UTC; 0 for none."""
    if day is None:
        return 0
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400 * SECOND_NS


def _model(key: str, prices: ModelPrices) -> Iterator[ModelRates]:
    yield _rates(key, prices, 0)
    for change in prices.changes:
        yield _rates(key, change, midnight_ns(change.start))


def _rates(key: str, prices: TieredPrices, start_ns: int) -> ModelRates:
    apart = any(stated.reasoning is not None for stated in (prices, *prices.tiers))
    first = Tier(above=0, pico_per_token=_prices(prices, apart))
    later = (
        Tier(above=int(tier.above_mtok * _TOKENS), pico_per_token=_prices(tier, apart))
        for tier in prices.tiers
    )
    return ModelRates(
        model=key, start_ns=start_ns, tiering=Tiering(prices.tiering), tiers=(first, *later)
    )


def _prices(stated: TokenPricesApart, apart: bool) -> dict[Meter, int]:
    prices = {
        Meter.INPUT: stated.input,
        Meter.CACHED_INPUT: stated.cached_input,
        Meter.OUTPUT: stated.output,
    }
    if apart:
        prices[Meter.REASONING] = stated.output if stated.reasoning is None else stated.reasoning
    return {meter: price_per_token(price) for meter, price in prices.items()}


def _adjustment(stated: PriceAdjustment) -> Adjustment:
    hours: set[int] = set()
    for span in stated.hours_utc:
        first, _, after = span.partition("-")
        start, end = int(first), int(after)
        hours |= {hour % 24 for hour in range(start, end if end > start else end + 24)}
    return Adjustment(
        name=stated.key,
        change=stated.change,
        start_ns=midnight_ns(stated.start),
        end_ns=None if stated.until is None else midnight_ns(stated.until + timedelta(days=1)),
        hours=tuple(sorted(hours)),
        apis=stated.apis,
        priorities=stated.priorities,
        tenants=stated.tenants,
        models=stated.models,
        sites=stated.sites,
        pools=stated.pools,
        accelerators=stated.accelerators,
        keys=stated.keys or msgspec.UNSET,
        service_tiers=stated.service_tiers or msgspec.UNSET,
    )


def _terms(contract: Contract) -> ContractTerms:
    tokens = contract.kind == "provisioned"
    scale = Decimal(_TOKENS if tokens else 1)
    steps = [(contract.start, contract.price)]
    steps += [(step.start, step.price) for step in contract.price_steps]
    return ContractTerms(
        name=contract.key,
        tenant=contract.tenant,
        kind=contract.kind,
        bill={"provisioned": TokenBill.RATE, "dedicated": TokenBill.COVERED}.get(
            contract.kind, TokenBill.NONE
        ),
        model=contract.model or "",
        accelerator=contract.accelerator or "",
        sites=contract.sites or (),
        start_ns=midnight_ns(contract.start),
        end_ns=midnight_ns(months_after(contract.start, contract.term_months)),
        currency=contract.currency,
        steps=tuple((midnight_ns(day), _pico(price / scale)) for day, price in steps),
        # The float of the file as it was written: 0.1 is a tenth.
        tokens_per_hour=int(Fraction(str(contract.tokens_per_s or 0)) * 3600),
    )


def _pico(price: Decimal) -> int:
    """Whole number of 1e-12 next to a price, halves to even."""
    return int((price * PICO).quantize(Decimal(1), ROUND_HALF_EVEN))
