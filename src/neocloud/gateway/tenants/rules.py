"""What the gateway lets whom do, taken from the cloud file, or from the engines without one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from neocloud.catalog import Catalog
from neocloud.gateway.apis.api import Usage
from neocloud.gateway.apis.refusals import ApiError
from neocloud.gateway.tenants.distances import REMOTE_SITE, RoundTrips, nowhere
from neocloud.ledger import UsageEvent
from neocloud.quotas import TenantLimit
from neocloud.routing import Priority
from neocloud.spec import Cloud, Tenant
from neocloud.units import PICO, price_per_token

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Rented

DEFAULT_TENANT = "default"
TEMPLATE_TOKENS = 64
"""Tokens that a chat template may add, at the most taken to: assumption, for holds."""
MEDIUM_TOKENS = 16_384
"""Tokens of one image, sound or file at the most: assumption, for holds. Qwen2.5-VL's default
largest image is 16,384 patches of 28 x 28 pixels, each a token."""

Distances = Callable[[str], dict[str, float] | None]
"""Seconds from a user metro to each site; None if there is no such metro."""


class TokenPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant pays for one token, in 1e-12 of the currency."""

    input: int
    cached_input: int
    output: int

    def most(self, input_tokens: int, output_tokens: int) -> int:
        """The most that a request may cost: nothing of it cached."""
        return input_tokens * self.input + output_tokens * self.output

    def of(self, usage: Usage | UsageEvent) -> int:
        """What a usage costs."""
        return (
            (usage.input_tokens - usage.cached_tokens) * self.input
            + usage.cached_tokens * self.cached_input
            + usage.output_tokens * self.output
        )


FREE = TokenPrice(input=0, cached_input=0, output=0)


class ModelRule(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is served.

    Attributes:
        max_output_tokens: limit set where the client sets none; None leaves that to the engine.
        ttft_budget_s: time to first token that is promised, network included.
        price: what tenants pay.
        precision: as it is served, where known.
        context: most tokens of prompt and answer, where known.
    """

    max_output_tokens: int | None
    ttft_budget_s: float
    price: TokenPrice = FREE
    precision: str = ""
    context: int | None = None


class TenantRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant may use; None allows all.

    Attributes:
        allowed_sites: a hard limit.
        allowed_models: others do not exist for it.
        limit: how much it may ask and spend.
        priority: who is served first when not all can be.
        weight: its share among waiting tenants of the same priority.
        carbon_limit_g_per_kwh: sites whose power emits more may not serve it.
    """

    allowed_sites: frozenset[str] | None = None
    allowed_models: frozenset[str] | None = None
    limit: TenantLimit | None = None
    priority: Priority = Priority.NORMAL
    weight: float = 1.0
    carbon_limit_g_per_kwh: float | None = None

    def may_use(self, model: str) -> bool:
        """True if the model exists for it."""
        return self.allowed_models is None or model in self.allowed_models


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """All that is decided before a request comes.

    Attributes:
        models: by name.
        tenants: by id.
        round_trips: from a metro to the sites.
        default_metro: where a client is taken to be that does not say.
        price_version: hash of the prices in force.
        ranges: metro of clients by range of addresses.
        media_hosts: hosts from which an engine may fetch what a URL in a prompt names.
        secret: from which each tenant's cache salt is made.
        service_tiers: those that prices name.
    """

    models: Mapping[str, ModelRule]
    tenants: Mapping[str, TenantRule]
    round_trips: Distances
    default_metro: str
    price_version: str = ""
    ranges: Mapping[str, str] = {}
    media_hosts: frozenset[str] = frozenset()
    secret: bytes = b""
    service_tiers: frozenset[str] = frozenset()

    def recorded_tier(self, asked: str) -> str:
        """The service tier as it goes on record: that which was asked for, if a price names it."""
        return asked if asked in self.service_tiers else "default"

    @property
    def limits(self) -> dict[str, TenantLimit]:
        """Limits of the tenants that have any."""
        return {name: rule.limit for name, rule in self.tenants.items() if rule.limit is not None}

    @property
    def budgets(self) -> frozenset[str]:
        """Tenants with a budget."""
        return frozenset(name for name, at in self.limits.items() if at.budget is not None)

    def salt_of(self, tenant: str) -> str:
        """The salt of a tenant's prefix cache: the same in all gateways that share the secret."""
        return hashlib.blake2b(tenant.encode(), key=self.secret[:64], digest_size=16).hexdigest()


def rule_of(rules: Rules, model: str, tenant: TenantRule) -> ModelRule:
    """The rule of a model that a tenant asks for.

    Raises:
        ApiError: 404, there is none, or not for this tenant.
    """
    rule = rules.models.get(model)
    if rule is None or not tenant.may_use(model):
        raise ApiError(404, f"there is no model {model[:200]!r}", "model_not_found")
    return rule


def rules_of_cloud(
    cloud: Cloud,
    catalog: Catalog,
    price_version: str,
    rented: Iterable[Rented] = (),
    secret: bytes = b"",
) -> Rules:
    """Rules that the file states; `rented` are the plan's places beside the file's sites."""
    places: dict[str, tuple[str, ...]] = {key: (site.metro,) for key, site in cloud.sites.items()}
    places |= {place.site: (place.metro,) for place in rented}
    elsewhere = tuple(r.metro for r in cloud.gateway.remotes.values() if r.metro is not None)
    if elsewhere:
        places[REMOTE_SITE] = elsewhere
    first = next(iter(cloud.sites.values()))
    return Rules(
        models={
            key: ModelRule(
                max_output_tokens=model.max_output_tokens,
                ttft_budget_s=model.objective.ttft_ms / 1e3,
                price=TokenPrice(
                    input=price_per_token(model.price_per_mtok.input),
                    cached_input=price_per_token(model.price_per_mtok.cached_input),
                    output=price_per_token(model.price_per_mtok.output),
                ),
            )
            for key, model in cloud.models.items()
        },
        tenants={key: _tenant_rule(tenant) for key, tenant in cloud.tenants.items()},
        round_trips=RoundTrips(catalog, places, cloud.network.last_mile_ms),
        default_metro=cloud.gateway.default_metro or first.metro,
        price_version=price_version,
        ranges=dict(cloud.gateway.address_ranges),
        media_hosts=frozenset(host.lower() for host in cloud.gateway.media_hosts),
        secret=secret,
        service_tiers=frozenset(
            tier for each in cloud.pricing.adjustments for tier in each.service_tiers
        ),
    )


def rules_without_file(
    models: Iterable[str], secret: bytes = b"", limit: TenantLimit | None = None
) -> Rules:
    """Rules before any OpenAI-compatible server: one tenant, its models, no network known."""
    return Rules(
        models={name: ModelRule(max_output_tokens=None, ttft_budget_s=2.0) for name in models},
        tenants={DEFAULT_TENANT: TenantRule(limit=limit)},
        round_trips=nowhere,
        default_metro="",
        secret=secret,
    )


def _tenant_rule(tenant: Tenant) -> TenantRule:
    return TenantRule(
        allowed_sites=_set(tenant.allowed_sites),
        allowed_models=_set(tenant.allowed_models),
        limit=_limit(tenant),
        priority=Priority[tenant.priority.upper()],
        weight=tenant.weight,
        carbon_limit_g_per_kwh=tenant.carbon_limit_g_per_kwh,
    )


def _limit(tenant: Tenant) -> TenantLimit | None:
    rates, budget = tenant.rate_limits, tenant.budget_per_month
    if rates is None and budget is None:
        return None
    return TenantLimit(
        requests_per_minute=None if rates is None else rates.requests_per_minute,
        tokens_per_minute=None if rates is None else rates.tokens_per_minute,
        concurrent_requests=None if rates is None else rates.concurrent_requests,
        budget=None if budget is None else int(budget * PICO),
    )


def _set(keys: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if keys is None else frozenset(keys)
