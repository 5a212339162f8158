"""What a file says about prices, with validity dates, as whole numbers of 1e-12 of the currency."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

import msgspec

from neocloud.ledger import Status


class Meter(StrEnum):
    """What a price is for, and what a rated line counts: tokens of a kind, or time held."""

    INPUT = "input"
    CACHED_INPUT = "cached_input"
    OUTPUT = "output"
    REASONING = "reasoning"
    """Only of models that price it apart; else reasoning is counted as output."""
    ACCELERATOR_HOUR = "accelerator_hour"

    @property
    def is_tokens(self) -> bool:
        """True of all but time held."""
        return self is not Meter.ACCELERATOR_HOUR


class Tiering(StrEnum):
    """How tiers are read."""

    GRADUATED = "graduated"
    """Each tier's price holds for the tokens that lie in it."""
    VOLUME = "volume"
    """The tier that the month's sum reaches prices all of the month's tokens."""


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """Prices from a sum of tokens on.

    Attributes:
        above: tokens of one meter, tenant, model and calendar month (UTC) above which it holds: the
            token with this number is still in the tier before. 0 in the first tier.
        pico_per_token: by meter, 1e-12 of the currency; the same meters in all tiers of a model.
    """

    above: int
    pico_per_token: Mapping[Meter, int]


class ModelRates(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of a model's tokens from a moment on, until the model's next rates begin.

    Attributes:
        model: model key.
        start_ns: first moment; 0 of the first rates.
        tiering: how the tiers are read.
        tiers: by `above`, the first from 0.
    """

    model: str
    start_ns: int
    tiering: Tiering
    tiers: tuple[Tier, ...]

    @property
    def reasoning_apart(self) -> bool:
        """True if reasoning tokens have a price of their own."""
        return Meter.REASONING in self.tiers[0].pico_per_token


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """A discount or surcharge on token prices for requests that fulfil all of its conditions.

    An empty condition is always fulfilled. Of several adjustments that apply the factors are
    multiplied, then the price of a token is rounded once to a whole number of 1e-12 (`adjusted`).

    Attributes:
        name: stands on the lines that it changed.
        change: share of the price: -0.5 halves it, 0.25 adds a quarter.
        start_ns: first moment of admission.
        end_ns: first moment after it; None without end.
        hours: UTC hours of admission, 0 to 23.
        apis: interfaces of the gateway.
        priorities: of the tenant.
        tenants, models, sites, accelerators: keys.
        pools: as `site/pool`.
        keys: ids of API keys. Left out where there are none, not empty: so what was encoded before
            there were any has the same hash still.
        service_tiers: that were asked for; left out likewise.
    """

    name: str
    change: Decimal
    start_ns: int = 0
    end_ns: int | None = None
    hours: tuple[int, ...] = ()
    apis: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    accelerators: tuple[str, ...] = ()
    keys: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    service_tiers: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


class HourRate(msgspec.Struct, frozen=True, kw_only=True):
    """Price of an accelerator-hour that no contract covers, from a moment on."""

    accelerator: str
    start_ns: int
    pico_per_hour: int


class PriceVersion(msgspec.Struct, frozen=True, kw_only=True):
    """All that a cloud file says about prices, of now and of later days. Immutable.

    Attributes:
        currency: of all prices in it.
        billed: statuses that are billed.
        models: rates, those of a model in the order of their start.
        adjustments: in the order of the file.
        hours: prices of accelerator-hours, those of an accelerator in the order of their start.
        priorities: of tenants, where an adjustment asks for them; `normal` where not named.
    """

    currency: str
    billed: tuple[Status, ...]
    models: tuple[ModelRates, ...]
    adjustments: tuple[Adjustment, ...] = ()
    hours: tuple[HourRate, ...] = ()
    priorities: Mapping[str, str] = {}

    @property
    def named_keys(self) -> frozenset[str]:
        """API keys that some adjustment is for."""
        return frozenset(key for a in self.adjustments for key in a.keys or ())

    @property
    def named_tiers(self) -> frozenset[str]:
        """Service tiers that some adjustment is for."""
        return frozenset(tier for a in self.adjustments for tier in a.service_tiers or ())

    def rates_at(self, model: str, time_ns: int) -> ModelRates | None:
        """Rates of a model that hold at a moment; None of a model without prices."""
        found = [r for r in self.models if r.model == model and r.start_ns <= time_ns]
        return found[-1] if found else None

    def hour_rate_at(self, accelerator: str, time_ns: int) -> HourRate | None:
        """Price of an accelerator-hour at a moment; None where there is none."""
        found = [r for r in self.hours if r.accelerator == accelerator and r.start_ns <= time_ns]
        return found[-1] if found else None

    def encoded(self) -> bytes:
        """Its content as JSON, the same bytes wherever it is made."""
        return msgspec.json.encode(self, order="deterministic")

    @property
    def id(self) -> str:
        """Sixteen hex digits over the content: what `UsageEvent.price_version` holds."""
        return hashlib.sha256(self.encoded()).hexdigest()[:16]


class TokenBill(StrEnum):
    """What a contract does to the price of its tenant's tokens of its model."""

    NONE = ""
    """Nothing: it is about accelerators."""
    COVERED = "covered"
    """Tokens cost nothing: accelerators are paid for them (`dedicated`)."""
    RATE = "rate"
    """So many tokens of each UTC hour go at the contract's price (`provisioned`)."""


class ContractTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a signed contract says of prices.

    Attributes:
        name: name of the contract.
        tenant: whose.
        kind: as in the file.
        bill: what it does to tokens.
        model: of `dedicated` and `provisioned`; else empty.
        accelerator: that is held; empty for any.
        sites: where it is delivered; empty for all.
        start_ns: first moment of the term.
        end_ns: first moment after it.
        currency: of its price.
        steps: price from a moment on, 1e-12 of the currency, of an accelerator-hour, or of a token
            where `bill` is RATE.
        tokens_per_hour: that RATE covers in each hour.
    """

    name: str
    tenant: str
    kind: str
    bill: TokenBill
    model: str
    accelerator: str
    sites: tuple[str, ...]
    start_ns: int
    end_ns: int
    currency: str
    steps: tuple[tuple[int, int], ...]
    tokens_per_hour: int

    def step_at(self, time_ns: int) -> tuple[int, int]:
        """Since when the price of a moment holds, and the price."""
        return [step for step in self.steps if step[0] <= time_ns][-1]


class PriceBook(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of the file as it stands, and those of earlier files that were kept.

    Attributes:
        current: of the file.
        kept: earlier versions by id, from the books' store.
    """

    current: PriceVersion
    kept: Mapping[str, PriceVersion] = {}

    def version(self, id: str) -> PriceVersion:  # noqa: A002 - it is the version's
        """A version; the current one where it is not known or the event has none."""
        return self.kept.get(id, self.current)

    def knows(self, id: str) -> bool:  # noqa: A002
        """True if events of this version are rated as they were admitted."""
        return id in ("", self.current.id) or id in self.kept


def factor_of(changes: Iterable[Decimal]) -> Fraction:
    """What a price is multiplied by, exact."""
    factor = Fraction(1)
    for change in changes:
        factor *= 1 + Fraction(change)
    return factor


def adjusted(pico: int, factor: Fraction) -> int:
    """A price times a factor, to a whole number, halves to even."""
    return round(pico * factor)
