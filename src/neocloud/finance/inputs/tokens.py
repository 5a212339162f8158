"""Tokens at list prices: revenue that nobody is bound to."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from neocloud.books.tiers.tokens import paid_by_the_hour
from neocloud.finance.inputs.contracts import a_day, lab_of, term_of
from neocloud.finance.inputs.ground import Ground
from neocloud.finance.inputs.growth import Growth
from neocloud.finance.inputs.spans import (
    days_within,
    end_of,
    grown,
    pieces,
    years_since,
)
from neocloud.finance.inputs.use import Tokens, held_by_model, tokens_by_model
from neocloud.finance.records import Merchant

_MILLION = 10**6


def tokens_sold(ground: Ground, growth: Growth) -> tuple[Merchant, ...]:
    """Tokens of each tenant and model by month, at the file's list prices.

    Tokens of a tenant with a dedicated contract for the model are paid by the hour, there; up to
    the rate of a signed provisioned contract they are paid by that. Tiers and adjustments of prices
    do not count: they hang on single months and requests.
    """
    held, whole = held_by_model(growth.use), tokens_by_model(growth.use)
    found = []
    for (tenant, model), tokens in sorted(growth.use.sold.items()):
        if model not in ground.cloud.models or tenant not in ground.cloud.tenants:
            continue
        if paid_by_the_hour(ground.cloud, tenant, model):
            continue
        share = tokens.computed / whole[model] if whole[model] else 0.0
        day = Fraction(held.get(model, 0.0) * share)
        earned, hours = [], []
        for month in range(ground.months.count):
            factor = growth.sale(tenant, model, month)
            beyond = _beyond(ground, tenant, model, tokens, factor, month)
            earned.append(ground.pico(_worth(ground, model, tokens, month) * factor * beyond))
            hours.append(day * factor * ground.months.days(month))
        found.append(
            Merchant(
                key=f"tokens/{tenant}/{model}",
                source="tokens",
                earned=tuple(earned),
                customer=tenant,
                credit=ground.cloud.tenants[tenant].credit,
                model=model,
                lab=lab_of(ground, tenant, model),
                purpose="inference",
                hours=tuple(hours),
                first=next((m for m, value in enumerate(earned) if value), 0),
            )
        )
    return tuple(found)


def _worth(ground: Ground, model: str, tokens: Tokens, month: int) -> Fraction:
    """What a month of such days sells for at the list prices of its days."""
    months, prices = ground.months, ground.cloud.models[model].price_per_mtok
    changes = [(change.start, change) for change in prices.changes]
    whole = Fraction(0)
    first, after = months.start(month), months.start(month + 1)
    for start, end in pieces(first, after, [day for day, _ in changes]):
        reached = [change for day, change in changes if day <= start]
        listed = reached[-1] if reached else prices
        whole += (end - start).days * _day_at(
            tokens, listed.input, listed.cached_input, listed.output
        )
    moved = ground.cloud.finance.token_price_change_per_year
    return whole * grown(moved, years_since(months, month, months.first))


def _day_at(tokens: Tokens, new: Decimal, cached: Decimal, output: Decimal) -> Fraction:
    fresh = Fraction(tokens.input_tokens) - Fraction(tokens.cached_tokens)
    worth = fresh * Fraction(new) + Fraction(tokens.cached_tokens) * Fraction(cached)
    return (worth + Fraction(tokens.output_tokens) * Fraction(output)) / _MILLION


def _beyond(
    ground: Ground, tenant: str, model: str, tokens: Tokens, factor: Fraction, month: int
) -> Fraction:
    """Share of the tokens that no signed provisioned contract pays for."""
    months, held = ground.months, Fraction(0)
    for agreed in ground.cloud.contracts:
        if (agreed.kind, agreed.tenant, agreed.model) != ("provisioned", tenant, model):
            continue
        if agreed.probability == 1.0:
            term = term_of(ground, agreed)
            start, end = min(term.start, end_of(months)), min(term.end, date.max)
            held += a_day(agreed) * days_within(months, month, start, end) * _MILLION
    asked = Fraction(tokens.computed) * factor * months.days(month)
    return max(Fraction(0), 1 - held / asked) if asked and held else Fraction(1)
