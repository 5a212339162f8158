"""What the market asks for a million tokens of a model, beside which a plan's cost is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from types import MappingProxyType

from neocloud.catalog import Catalog, TokenPrice, model_key

OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "alibaba-qwen3-32b": "qwen3-32b",
        "databricks-glm-5-2": "glm-5.2",
        "databricks-gpt-oss-120b": "gpt-oss-120b",
        "databricks-gpt-oss-20b": "gpt-oss-20b",
        "databricks-kimi-k3": "kimi-k3",
        "databricks-llama-4-maverick": "llama-4-maverick-17b-128e",
        "databricks-meta-llama-3-1-8b": "llama-3.1-8b",
        "databricks-qwen35-122b-a10b": "qwen3.5-122b-a10b",
        "deepseek-r1-671b": "deepseek-r1",
        "kimi-k2-0711-preview": "kimi-k2",
        "llama-3-1-70b": "llama-3.1-70b",
        "llama-4-maverick": "llama-4-maverick-17b-128e",
        "llama-4-maverick-17b": "llama-4-maverick-17b-128e",
        "llama-4-scout-17b": "llama-4-scout-17b-16e",
        "llama3.1-405b": "llama-3.1-405b",
        "llama3.1-70b": "llama-3.1-70b",
        "llama3.1-8b": "llama-3.1-8b",
        "meta.llama4-maverick-17b-v1": "llama-4-maverick-17b-128e",
        "meta.llama4-scout-17b-v1": "llama-4-scout-17b-16e",
        "minimax.minimax-m2.5": "minimax-m2.5",
        "mixtral-8x22b": "mixtral-8x22b-v0.1",
        "mixtral-8x7b": "mixtral-8x7b-v0.1",
        "moonshotai.kimi-k2.5": "kimi-k2.5",
        "open-mixtral-8x22b": "mixtral-8x22b-v0.1",
        "open-mixtral-8x7b": "mixtral-8x7b-v0.1",
        "openai-gpt-oss-120b": "gpt-oss-120b",
        "openai-gpt-oss-20b": "gpt-oss-20b",
        "qwen-3-32b": "qwen3-32b",
        "qwen.qwen3-32b-v1": "qwen3-32b",
        "qwen.qwen3-coder-480b-a35b-v1": "qwen3-coder-480b-a35b",
        "qwen3-coder-480b": "qwen3-coder-480b-a35b",
        "qwen3.5-122b": "qwen3.5-122b-a10b",
        "qwen3.5-397b": "qwen3.5-397b-a17b",
        "zai.glm-5": "glm-5",
    }
)
"""Names that offers give a model of the catalog's configurations, and its usual name; all after
`model_key`. Each was read in the price list. Later releases with a date of their own (`-0528`,
`-2507`) and offers of another speed (`-ultra`, `-flex`) are other goods and not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketPrice:
    """USD for a million tokens in the mix asked for; each provider counts once.

    Attributes:
        low: of the cheapest provider.
        median: of the one in the middle; the mean of the middle two where they are even.
        high: of the dearest.
        providers: how many there are, sellers that only pass requests on included.
        date: of the latest offer that counts; a year where no day is told.
    """

    low: Decimal
    median: Decimal
    high: Decimal
    providers: int
    date: str


def market_key(name: str) -> str:
    """The key under which offers of a model meet: of a configuration's or an offer's name.

    A base model and its tuned forms share it: they are as dear to run, and the tuned one is sold.
    """
    key = model_key(name)
    return OTHER_NAMES.get(key, key)


def market_price(
    catalog: Catalog, model_config_name: str, input_tokens: float, output_tokens: float
) -> MarketPrice | None:
    """What providers ask for a million tokens of a model, input and output weighed as demanded.

    A provider with several offers counts with their median. Offers that are deprecated, free or
    lack one of the two prices are left out; cached input is priced as input.

    Args:
        catalog: whose token prices count.
        model_config_name: as in the cloud file, such as `meta-llama/Meta-Llama-3.1-8B`.
        input_tokens: mean of a request; only the ratio of both matters.
        output_tokens: mean of a request.

    Returns:
        None where nobody offers the model.
    """
    total = Decimal(input_tokens) + Decimal(output_tokens)
    assert input_tokens >= 0 and output_tokens >= 0 and total > 0, "no tokens to price"
    wanted = market_key(model_config_name)
    sellers: dict[str, list[Decimal]] = {}
    dates = []
    for offer in catalog.token_prices:
        if market_key(offer.key) != wanted or not _counts(offer):
            continue
        assert offer.input is not None and offer.output is not None
        spent = offer.input * Decimal(input_tokens) + offer.output * Decimal(output_tokens)
        sellers.setdefault(offer.provider, []).append(spent / total)
        dates.append(offer.date)
    if not sellers:
        return None
    asked = [median(own) for own in sellers.values()]
    return MarketPrice(
        low=min(asked),
        median=median(asked),
        high=max(asked),
        providers=len(asked),
        date=max(dates),
    )


def _counts(offer: TokenPrice) -> bool:
    """True of an offer that is sold: not about to end, not free, with both prices."""
    return bool(offer.status != "deprecated" and offer.input and offer.output)
