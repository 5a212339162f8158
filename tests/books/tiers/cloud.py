"""A cloud with two sites, two power contracts at one of them, and what its tests sum up."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from neocloud.activity import Origin, Purpose, Row
from neocloud.books.tiers import TierReport, make_tiers
from neocloud.books.tiers.cells import usage_of
from neocloud.books.tiers.spans import Grain
from neocloud.catalog import load_catalog
from neocloud.spec import Cloud
from neocloud.spec.load import parse_cloud
from neocloud.units import HOUR_NS, Period, parse_period, parse_utc

CATALOG = load_catalog()
TEXT = """\
name: tiers
exchange_rates: {EUR: 1.25}
sites:
  ashburn:
    metro: washington
    pue: 1.25
    facility_usd_per_kw_month: 200
    network_usd_per_gb: 0.01
    power:
      - {kind: ppa, source: wind, availability: 1, capacity_mw: 0.1, usd_per_mwh: 40,
         take_or_pay: 0.8, carbon_g_per_kwh: 0}
      - {kind: grid, usd_per_mwh: 90, demand_charge_per_kw_month: 10, carbon_g_per_kwh: 400}
    pools:
      - {accelerator: h100-sxm, nodes: 3, spare_nodes: 1, availability: 0.5, capex_usd: 50000,
         life_years: 5, residual_share: 0.1, maintenance_share_per_year: 0.02}
  frankfurt:
    metro: frankfurt
    pue: 1
    power: [{kind: grid, eur_per_mwh: 80}]
    pools:
      - {name: leased, accelerator: mi300x, nodes: 1, ownership: leased, lease_usd_per_hour: 2}
models:
  small: {config: meta-llama/Meta-Llama-3.1-8B, objective: {ttft_ms: 1000, tpot_ms: 40},
          price_per_mtok: {input: 0.20, cached_input: 0.05, output: 0.60}}
  large: {config: openai/gpt-oss-120b, objective: {ttft_ms: 1000, tpot_ms: 40},
          price_per_mtok: {input: 0.15, output: 0.60}}
tenants: {acme: {}, rhein: {}, lab: {}}
demand:
  - {model: small, tenant: acme, metros: [new-york], requests_per_s: 6, lengths: azure-conv}
contracts:
  - {name: training, tenant: lab, accelerators: 8, accelerator: h100-sxm, start: 2027-02-11,
     term_months: 12, price: 2.5, take_or_pay: 0.6}
finance:
  cost_of_capital: 0
  staff_per_accelerator_hour: 0.05
  network_per_accelerator_hour: 0.02
  overhead_share: 0.1
planning: {carbon_price_per_tonne: 50}
"""
START_NS = parse_utc("2027-02-11T13:00:00Z")
FEBRUARY = parse_period("2027-02")


@cache
def cloud(text: str = TEXT) -> Cloud:
    return parse_cloud(text, "cloud.yaml", CATALOG)


def row(hours_later: int = 0, **changes: object) -> Row:
    """An hour of the model `small` at ashburn."""
    values: dict[str, object] = {
        "source": Origin.METERED, "hour_utc": START_NS + hours_later * HOUR_NS, "site": "ashburn",
        "pool": "h100-sxm", "model": "small",
    }  # fmt: skip
    return Row(**{**values, **changes})  # type: ignore[arg-type]


def tiers(*rows: Row, period: Period = FEBRUARY, text: str = TEXT) -> TierReport:
    """Tiers of rows of which all tokens are sold."""
    sold = {}
    if rows:
        sold = usage_of(rows, Grain.HOUR).served
    return make_tiers(cloud(text), CATALOG, rows, sold, period)


def line(report: TierReport, tier: str, name: str) -> Decimal:
    """What stands in a line; 0 where there is none."""
    (found,) = [t for t in report.tiers if t.tier == tier]
    return sum((x.amount for x in found.lines if x.name == name), Decimal(0))


TRAINING = Purpose.TRAINING
