"""Files for the tests of inputs, and what is read from them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from neocloud.activity import Origin, Purpose, Row
from neocloud.catalog import load_catalog
from neocloud.finance.inputs import Use, inputs_of
from neocloud.finance.records import Asset, Contract, Cost, Facility, Inputs, Merchant
from neocloud.spec import Cloud, load_cloud, parse_cloud
from neocloud.units import HOUR_NS, PICO, Period

CATALOG = load_catalog()
EXAMPLES = Path(__file__).parents[3] / "examples"

COMPANY = """\
name: company
exchange_rates: {EUR: 1.25}
tenants: {lab: {kind: lab, credit: A}, other: {credit: BB}}
"""
"""The head of a company in figures; contracts and finance follow."""

SERVED = """\
name: served
exchange_rates: {EUR: 1.25}
sites:
  ashburn:
    metro: washington
    pue: 1.25
    facility_usd_per_kw_month: 200
    network_usd_per_gb: 0.01
    power: [{usd_per_mwh: 90}]
    pools:
      - {accelerator: h100-sxm, nodes: 3, spare_nodes: 1, availability: 0.5, capex_usd: 50000}
models:
  small: {config: meta-llama/Meta-Llama-3.1-8B, objective: {ttft_ms: 1000, tpot_ms: 40},
          price_per_mtok: {input: 0.20, cached_input: 0.05, output: 0.60}}
tenants: {acme: {}, rhein: {}}
demand:
  - {model: small, tenant: acme, metros: [new-york], requests_per_s: 6}
"""


def read(text: str) -> Cloud:
    return parse_cloud(text, "cloud.yaml", CATALOG)


def example(name: str) -> Cloud:
    return load_cloud(EXAMPLES / name / "cloud.yaml", CATALOG)


def made(text: str, use: Use | None = None) -> Inputs:
    return inputs_of(read(text), CATALOG, use)


def contract(inputs: Inputs, key: str) -> Contract:
    return next(item for item in inputs.contracts if item.key == key)


def merchant(inputs: Inputs, key: str) -> Merchant:
    return next(item for item in inputs.merchant if item.key == key)


def cost(inputs: Inputs, key: str) -> Cost:
    return next(item for item in inputs.costs if item.key == key)


def asset(inputs: Inputs, key: str) -> Asset:
    return next(item for item in inputs.assets if item.key == key)


def facility(inputs: Inputs, key: str) -> Facility:
    return next(item for item in inputs.facilities if item.key == key)


def money(amount: str | int) -> int:
    """Pico-units of an amount."""
    return int(Fraction(amount) * PICO)


def row(hour_ns: int = 0, **fields: object) -> Row:
    """A row of the pool of `SERVED`."""
    given = {
        "source": Origin.PLANNED, "hour_utc": hour_ns, "site": "ashburn", "pool": "h100-sxm",
        "model": "small", "purpose": Purpose.INFERENCE, **fields,
    }  # fmt: skip
    return Row(**given)  # type: ignore[arg-type]


def every_hour(period: Period) -> range:
    """Starts of the hours of a period."""
    return range(period.start_ns, period.end_ns, HOUR_NS)
