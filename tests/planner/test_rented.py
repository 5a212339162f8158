"""What may be rented: the right price of each provider, metro and accelerator."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property

import pytest

from neocloud.catalog import Catalog, Grade, ProviderRegion, RentalPrice
from neocloud.planner.rented import RentedPool, rented_pools
from neocloud.spec import Cloud

from .clouds import CATALOG, TWO_SITES, changed, read


class Priced(Catalog):
    """The catalog with other rental prices, of providers that stand in Washington and Chicago."""

    def __init__(self, *offers: RentalPrice) -> None:
        self._offers = offers

    @cached_property
    def rental_prices(self) -> tuple[RentalPrice, ...]:
        return self._offers

    @cached_property
    def provider_regions(self) -> tuple[ProviderRegion, ...]:
        where = [("aws", "east", "washington"), ("aws", "east2", "washington")]
        where += [("lambda", "", "chicago"), ("lambda", "", "washington")]
        return tuple(
            ProviderRegion(provider, region, metro, "none", "2026", Grade.ASSUMED, "a test")
            for provider, region, metro in where
        )


def offer(
    price: str,
    *,
    accelerator: str = "h100-sxm",
    provider: str = "lambda",
    tier: str = "on-demand",
    months: int = 0,
    region: str = "",
    date: str = "2026-06-15",
    source: str = "gpu-pricing-pages",
) -> RentalPrice:
    usd = Decimal(price)
    return RentalPrice(
        accelerator, provider, tier, months, region, usd / 2, usd, usd * 2, 3, date, source
    )


def cloud(rental: str = "providers: [lambda, aws]", text: str = TWO_SITES) -> Cloud:
    more = "" if "currency:" in rental else ", currency: USD"
    return read(f"{text}rental: {{{rental}{more}}}\n")


def only(*offers: RentalPrice, rental: str = "providers: [lambda, aws]") -> RentedPool:
    """The one pool of Washington."""
    (pool,) = [p for p in rented_pools(cloud(rental), Priced(*offers)) if p.metro == "washington"]
    return pool


def test_without_rental_nothing_is_rented() -> None:
    assert rented_pools(read(TWO_SITES), CATALOG) == ()


def test_a_price_of_all_regions_holds_in_each_place() -> None:
    pools = rented_pools(cloud(), Priced(offer("3.29")))
    assert [(p.site, p.metro, p.region) for p in pools] == [
        ("lambda-chicago", "chicago", ""),
        ("lambda-washington", "washington", ""),
    ]
    for pool in pools:
        assert (pool.provider, pool.accelerator, pool.tier) == ("lambda", "h100-sxm", "on-demand")
        assert (pool.term_months, pool.date) == (0, "2026-06-15")
        assert pool.source == "gpu-pricing-pages"
        assert pool.price == Decimal("3.29")
        assert pool.price_per_accelerator_hour == 3.29


def test_the_latest_price_counts_not_the_cheapest() -> None:
    old, new = offer("2", date="2026-05-24"), offer("3", date="2026-08-20")
    assert only(old, new) == only(new, old)
    assert only(old, new).price == 3
    assert only(offer("2", date="2026"), offer("3", date="2026-01-01")).price == 3


def test_of_sources_of_one_date_the_one_in_the_middle_counts() -> None:
    three = [offer(price, source=f"s{price}") for price in ("5", "3", "4")]
    pool = only(*three)
    assert (pool.price, pool.source) == (Decimal(4), "s4")
    assert only(*three[:2]).price == 3  # the lower of two: a price that somebody asks


@pytest.mark.parametrize(
    ("tiers", "price", "tier", "months"),
    [
        ("on-demand", "4", "on-demand", 0),
        ("on-demand, reserved", "2", "reserved", 12),
        ("reserved", "2", "reserved", 12),
        ("spot, on-demand", "3", "spot", 0),
    ],
)
def test_the_cheapest_of_the_tiers_asked_for(
    tiers: str, price: str, tier: str, months: int
) -> None:
    pool = only(
        offer("4"),
        offer("2", tier="reserved", months=12),
        offer("2.5", tier="reserved", months=36),
        offer("3", tier="spot"),
        rental=f"providers: [lambda], tiers: [{tiers}]",
    )
    assert (pool.price, pool.tier, pool.term_months) == (Decimal(price), tier, months)


def test_an_old_spot_price_does_not_hide_a_newer_one() -> None:
    pool = only(
        offer("1", tier="spot", date="2026-05-24"),
        offer("3", tier="spot", date="2026-08-20"),
        offer("2", date="2026-05-24"),
        rental="providers: [lambda], tiers: [spot, on-demand]",
    )
    assert (pool.price, pool.tier) == (Decimal(2), "on-demand")


def test_what_costs_the_same_is_taken_without_obligation() -> None:
    pool = only(
        offer("3", tier="reserved", months=36),
        offer("3", tier="reserved", months=6),
        offer("3", tier="spot"),
        offer("3"),
        rental="providers: [lambda], tiers: [spot, reserved, on-demand]",
    )
    assert pool.tier == "on-demand"


def test_the_cheapest_region_of_a_metro() -> None:
    pool = only(
        offer("5", provider="aws", region="east"), offer("4", provider="aws", region="east2")
    )
    assert (pool.site, pool.region, pool.price) == ("aws-washington", "east2", Decimal(4))


def test_prices_come_in_the_clouds_currency_and_stay_exact() -> None:
    euro = changed(TWO_SITES, ("exchange_rates: {EUR: 1.25}", "exchange_rates: {USD: 0.8}"))
    euro = changed(euro, ("name: small\n", "name: small\ncurrency: EUR\n"))
    catalog = Priced(offer("3.29"))
    here = cloud("providers: [lambda], currency: EUR", euro)
    assert {p.price for p in rented_pools(here, catalog)} == {Decimal("2.632")}
    # 2.64 EUR are enough; 3.3 USD are 2.64 EUR; 3.2 USD are not.
    for most, currency, count in (("2.64", "EUR", 2), ("3.3", "USD", 2), ("3.2", "USD", 0)):
        limited = f"max_price_per_accelerator_hour: {most}, currency: {currency}"
        found = rented_pools(cloud(f"providers: [lambda], {limited}", euro), catalog)
        assert len(found) == count, (most, currency)


def test_a_price_at_the_limit_is_paid() -> None:
    rental = "providers: [lambda], max_price_per_accelerator_hour: {}"
    catalog = Priced(offer("3.29"))
    assert len(rented_pools(cloud(rental.format("3.29")), catalog)) == 2
    assert rented_pools(cloud(rental.format("3.28")), catalog) == ()


def test_only_providers_asked_for_and_known_places() -> None:
    offers = (offer("3"), offer("1", provider="vast-ai"), offer("1", region="mars"))
    pools = rented_pools(cloud("providers: [lambda, vast-ai]"), Priced(*offers))
    assert {(p.provider, p.price) for p in pools} == {("lambda", Decimal(3))}
    assert rented_pools(cloud("providers: [aws]"), Priced(*offers)) == ()


def test_only_accelerators_that_are_allowed_and_known() -> None:
    vague, named = offer("2", accelerator="h100"), offer("3")
    unmeasured = offer("1", accelerator="a100-pcie-80gb")
    assert not CATALOG.accelerator("a100-pcie-80gb").measured
    catalog = Priced(vague, named, unmeasured)
    assert {p.accelerator for p in rented_pools(cloud(), catalog)} == {"h100-sxm"}
    asked = cloud("providers: [lambda], accelerators: [a100-pcie-80gb]")
    assert {p.accelerator for p in rented_pools(asked, catalog)} == {"a100-pcie-80gb"}


def test_a_place_has_one_key_and_no_site_of_the_file_shares_it() -> None:
    text = changed(TWO_SITES, ("  ashburn:\n", "  lambda-washington:\n"))
    catalog = Priced(offer("3"), offer("4", accelerator="l40s"))
    pools = rented_pools(cloud(text=text), catalog)
    sites = {p.site for p in pools if p.metro == "washington"}
    assert sites == {"rented-lambda-washington"}
    assert {p.site for p in pools if p.metro == "chicago"} == {"lambda-chicago"}


def test_the_catalogs_own_prices_come_in_order_each_once() -> None:
    providers = "lambda, nebius, aws, azure, gcp, oci, crusoe, coreweave, verda, vast-ai"
    for tiers in ("on-demand", "on-demand, reserved, spot"):
        asked = cloud(f"providers: [{providers}], tiers: [{tiers}]")
        pools = rented_pools(asked, CATALOG)
        keys = [(p.provider, p.metro, p.accelerator) for p in pools]
        assert keys == sorted(set(keys))
        assert len(keys) > 80
        assert {"h100-sxm", "h200-sxm", "b200-sxm"} <= {p.accelerator for p in pools}
        assert rented_pools(asked, Catalog()) == pools
        for pool in pools:
            assert pool.accelerator in CATALOG.accelerators
            assert pool.metro in CATALOG.power_markets
            assert pool.tier in tiers
            assert (pool.term_months > 0) == (pool.tier == "reserved")
            assert 0 < pool.price < 100
