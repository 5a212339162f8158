"""Prices of rented accelerators and of tokens of open-weights models, by provider and date.

Offers of rented accelerators come from several trackers, some without a licence text: what is
written is derived, one row for what a provider asks for an accelerator on one kind of term in one
region at one date, as the lowest, median and highest of its offers. Token prices come from sources
under the MIT licence and are kept one by one. Prices are facts; each row names its source and date.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from statistics import median

import writing

Row = dict[str, str]

# Accelerators as the input calls them, and the catalog's keys. Names that say too little (an H100
# without its form) or that the catalog does not hold get a name of their own.
ACCELERATORS = {
    "A100 SXM 80GB": "a100-sxm-80gb",
    "A100 PCIe 80GB": "a100-pcie-80gb",
    "A100 SXM 40GB": "a100-sxm-40gb",
    "B200": "b200-sxm",
    "B200 SXM": "b200-sxm",
    "B300": "b300-sxm",
    "B300 SXM": "b300-sxm",
    "GB200 NVL72": "gb200-nvl72",
    "GB300": "gb300-nvl72",
    "H200": "h200-sxm",
    "L4 PCIe": "l4",
    "RTX PRO 6000": "rtx-pro-6000-server",
}
PROVIDERS = {
    "AWS EC2": "aws",
    "together_ai": "together",
    "togetherai": "together",
    "novita-ai": "novita",
    "fireworks_ai": "fireworks",
    "fireworks-ai": "fireworks",
    "lambda_ai": "lambda",
    "gmi": "gmicloud",
    "friendli": "friendliai",
    "moonshot": "moonshotai",
}
"""Providers that sources call differently, and one name for each."""

TIERS = {
    "on_demand": ("on-demand", "0"),
    "community": ("on-demand", "0"),
    "secure": ("on-demand", "0"),
    "production": ("on-demand", "0"),
    "spot": ("spot", "0"),
    "reserved_6mo": ("reserved", "6"),
    "reserved_12mo": ("reserved", "12"),
    "reserved_36mo": ("reserved", "36"),
}
"""Tier of the input: tier and months of its term."""

SOURCES = {
    "sooddvs/gpu-pricing": "gpu-pricing-interfaces",
    "tardellirs/gpu-pricing": "gpu-pricing-pages",
    "skypilot-org/skypilot-catalog": "skypilot-catalog",
    "cherielilili/gpu-pricing-tracker": "gpu-pricing-tracker",
    "models.dev": "models-dev",
    "OpenRouter model list": "models-dev",
    "litellm": "litellm-prices",
}
"""How a source's name begins in the input, and its key in sources.csv."""

SKYPILOT_DATE = "2026"  # its catalog names a version and no day
LITELLM_DATE = "2026"
MODELS_DEV_DATE = "2026-07-02"


def slug(name: str) -> str:
    """A name in lower case, with hyphens for whatever is neither letter nor digit."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


def provider_of(name: str) -> str:
    """One name for a provider, whatever its sources call it."""
    return PROVIDERS.get(name, slug(name).replace(".", "-"))


def source_of(text: str) -> str:
    """Key of the source that a row names."""
    for start, key in SOURCES.items():
        if text.startswith(start):
            return key
    raise SystemExit(f"unknown source of prices {text!r}")


def accelerator_of(name: str, listed: str = "", sku: str = "") -> str:
    """Key of an accelerator, or a name of its own where it is none of the catalog's."""
    described = f"{listed} {sku}".lower()
    if name.startswith("A100") and ("40gb" in described or "40GB" in name):
        return "a100-pcie-40gb" if "pcie" in described or "PCIe" in name else "a100-sxm-40gb"
    if name == "RTX PRO 6000" and " WE " in f"{listed} ":
        return "rtx-pro-6000-workstation"
    return ACCELERATORS.get(name, slug(name))


def _spread(values: Iterable[Decimal]) -> list[str]:
    """Lowest, median and highest, to a hundredth of a cent."""
    ranked = sorted(values)
    figures = (ranked[0], Decimal(median(ranked)), ranked[-1])
    return [format(f.quantize(Decimal("0.0001")).normalize(), "f") for f in figures]


def _date(row: Row) -> str:
    return row["as_of"] if re.fullmatch(r"\d{4}-\d\d-\d\d", row["as_of"]) else SKYPILOT_DATE


def _rentals(path: Path) -> list[list[str]]:
    offers: dict[tuple[str, ...], list[Decimal]] = defaultdict(list)
    for row in writing.read(path):
        tier, months = TIERS[row["tier"]]
        region = row["region"].replace("all listed", "")
        key = (
            accelerator_of(row["accelerator"], row["accelerator_as_listed"], row["sku"]),
            provider_of(row["provider"]), tier, months, region, _date(row),
            source_of(row["source"]),
        )  # fmt: skip
        offers[key].append(Decimal(row["usd_per_gpu_hour"]))
    return [
        [*key[:5], *_spread(values), str(len(values)), *key[5:]]
        for key, values in sorted(offers.items())
    ]


def _history(path: Path) -> list[list[str]]:
    """Monthly spread of daily prices; rows whose tier the source does not tell are left out."""
    days: dict[tuple[str, ...], list[Decimal]] = defaultdict(list)
    for row in writing.read(path):
        if row["tier"] == "unclear":
            continue
        key = (
            accelerator_of(row["accelerator"]), provider_of(row["provider"]),
            TIERS[row["tier"]][0], row["date"][:7],
        )  # fmt: skip
        days[key].append(Decimal(row["usd_per_gpu_hour"]))
    return [
        [*key, *_spread(values), str(len(values)), "gpu-pricing-tracker"]
        for key, values in sorted(days.items())
    ]


def _price(text: str) -> str:
    return format(Decimal(text).normalize(), "f") if text else ""


def _token_dates(row: Row, source: str) -> tuple[str, str]:
    """Status and date of an offer; an announced end stands in the input's column of dates."""
    collected = LITELLM_DATE if source == "litellm-prices" else MODELS_DEV_DATE
    if row["last_updated"].startswith("deprecates"):
        return "deprecated", collected
    return row["status"], row["last_updated"] or collected


def _tokens(path: Path) -> list[list[str]]:
    rows = []
    for row in writing.read(path):
        source = source_of(row["source"])
        rows.append(
            [provider_of(row["provider"]), row["model"],
             re.sub(r"^meta-(?=llama)", "", row["model_key"]),
             *(_price(row[f"usd_per_mtok_{kind}"])
               for kind in ("input", "output", "cached_input", "cache_write")),
             row["context_tokens"], *_token_dates(row, source), source]
        )  # fmt: skip
    return sorted(rows)


def make(shared: Path, data: Path) -> None:
    """Write `rental_prices.csv`, `rental_history.csv` and `token_prices.csv.gz`."""
    folder = shared / "prices"
    spread = ["usd_low", "usd_median", "usd_high"]
    writing.write(
        data / "rental_prices.csv",
        ["accelerator", "provider", "tier", "term_months", "region", *spread, "offers", "date",
         "source"],
        _rentals(folder / "gpu_prices.csv"),
    )  # fmt: skip
    writing.write(
        data / "rental_history.csv",
        ["accelerator", "provider", "tier", "month", *spread, "days", "source"],
        _history(folder / "gpu_price_history_2026.csv"),
    )
    header = ["provider", "model", "key", "usd_input", "usd_output", "usd_cached_input",
              "usd_cache_write", "context_tokens", "status", "date", "source"]  # fmt: skip
    text = writing.csv_text(header, _tokens(folder / "token_prices.csv"))
    writing.write_gz(data / "token_prices.csv.gz", text)
