"""What the gateway lets whom do, taken from the cloud file, or from the engines without one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from neocloud.catalog import Catalog
from neocloud.planner import Rented
from neocloud.spec import Cloud

DEFAULT_TENANT = "default"

RoundTrips = Callable[[str], dict[str, float] | None]
"""Seconds from a user metro to each site; None if there is no such metro."""


class ModelRule(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is served.

    Attributes:
        max_output_tokens: limit set where the client sets none; None leaves that to the engine.
        ttft_budget_s: time to first token that is promised, network included.
    """

    max_output_tokens: int | None
    ttft_budget_s: float


class TenantRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant may use; None allows all."""

    allowed_sites: frozenset[str] | None = None
    allowed_models: frozenset[str] | None = None


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """All that is decided before a request comes."""

    models: Mapping[str, ModelRule]
    tenants: Mapping[str, TenantRule]
    round_trips: RoundTrips
    default_metro: str
    price_version: str = ""


def rules_of_cloud(
    cloud: Cloud, catalog: Catalog, price_version: str, rented: Iterable[Rented] = ()
) -> Rules:
    """Rules that the file states; `rented` are the plan's places beside the file's sites."""
    places = {key: site.metro for key, site in cloud.sites.items()}
    places |= {place.site: place.metro for place in rented}

    def round_trips(metro: str) -> dict[str, float] | None:
        if metro not in catalog.metros:
            return None
        last_mile = cloud.network.last_mile_ms
        return {
            key: (catalog.round_trip(metro, place).ms + last_mile) / 1e3
            for key, place in places.items()
        }

    first = next(iter(cloud.sites.values()))
    return Rules(
        models={
            key: ModelRule(
                max_output_tokens=model.max_output_tokens,
                ttft_budget_s=model.objective.ttft_ms / 1e3,
            )
            for key, model in cloud.models.items()
        },
        tenants={
            key: TenantRule(
                allowed_sites=_set(tenant.allowed_sites), allowed_models=_set(tenant.allowed_models)
            )
            for key, tenant in cloud.tenants.items()
        },
        round_trips=round_trips,
        default_metro=cloud.gateway.default_metro or first.metro,
        price_version=price_version,
    )


def rules_without_file(models: Iterable[str]) -> Rules:
    """Rules before any OpenAI-compatible server: one tenant, its models, no network known."""
    return Rules(
        models={name: ModelRule(max_output_tokens=None, ttft_budget_s=2.0) for name in models},
        tenants={DEFAULT_TENANT: TenantRule()},
        round_trips=lambda _metro: {},
        default_metro="",
    )


def _set(keys: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if keys is None else frozenset(keys)
