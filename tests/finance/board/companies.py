"""A company in figures for the tests of the board, small and with a little of everything."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from neocloud.catalog import load_catalog
from neocloud.finance.arithmetic import Exact
from neocloud.finance.board import FinanceReport, finance_report
from neocloud.finance.inputs import inputs_of, obligations_of
from neocloud.finance.model import run
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs
from neocloud.spec import Cloud, load_cloud, parse_cloud

CATALOG = load_catalog()
EXAMPLES = Path(__file__).parents[3] / "examples"

COMPANY = """\
name: company
tenants: {lab: {kind: lab, credit: A}, other: {credit: BB}}
contracts:
  - name: lab
    tenant: lab
    accelerators: 1000
    signed: 2025-12-15
    start: 2026-07-01
    term_months: 24
    price: 3.60
    requires: [nodes]
    prepayments: [{date: 2026-02-15, amount: 6000000}]
  - name: other
    tenant: other
    accelerators: 200
    start: 2026-10-01
    term_months: 12
    price: 3
    probability: 0.5
finance:
  start: 2026-01-01
  months: 33
  tax_rate: 0.25
  tax_loss_share: 0.8
  opening_cash: 4000000
  minimum_cash: 1000000
  receivable_days: 45
  payable_days: 20
  dividend_share: 0.5
  dividends_from: 2027-06-01
  opening: {receivables: 100000, payables: 40000, tax_losses: 500000, paid_in: 4000000}
  merchant:
    - {name: spot, accelerator: h100-sxm, price: 2, utilisation: 0.3, start: 2026-08-01}
  costs:
    - {name: people, kind: staff, per_month: 150000}
    - {name: running, kind: other, share_of_revenue: 0.1}
  base_rates:
    - {name: sofr, rates: [{date: 2026-01-01, rate: 0.04}, {date: 2027-01-01, rate: 0.03}]}
  assets:
    - name: nodes
      kind: accelerators
      accelerator: h100-sxm
      accelerators: 1300
      price: 39000000
      in_service: 2026-07-01
      life_years: 2
      residual_share: 0.2
      payments: [{months_before_service: 4, share: 0.25}, {months_before_service: 0, share: 0.75}]
    - {name: network, kind: networking, price: 3000000, in_service: 2026-06-15, life_years: 4}
  debt:
    - name: loan
      kind: delayed_draw
      commitment: 25000000
      start: 2026-01-01
      available_until: 2026-07-31
      maturity: 2028-07-01
      base_rate: sofr
      margin: 0.04
      step_up: 0.01
      commitment_fee: 0.01
      advance_rate: 0.65
      construction_interest: capitalised
      amortisation: straight
      dsra_months: 3
      contracts: [lab]
      collateral: [nodes]
      covenants: {min_dscr: 1.2, min_llcr: 1.1, max_ltv: 0.9, lock_up_dscr: 1.3}
    - name: notes
      kind: bond
      commitment: 5000000
      start: 2026-03-10
      maturity: 2028-09-10
      margin: 0.09
      covenants: {min_interest_cover: 1.5, max_leverage: 4, min_liquidity: 500000}
    - {name: switches, kind: lease, lease_payment_per_month: 20000, start: 2026-05-01,
       maturity: 2028-05-01, margin: 0.07}
  equity:
    - {date: 2026-03-01, amount: 12000000}
"""


@cache
def company() -> tuple[Cloud, Inputs, Outcome]:
    return ran(parse_cloud(COMPANY, "cloud.yaml", CATALOG))


@cache
def example(name: str) -> tuple[Cloud, Inputs, Outcome]:
    return ran(load_cloud(EXAMPLES / name, CATALOG))


def ran(cloud: Cloud) -> tuple[Cloud, Inputs, Outcome]:
    inputs = inputs_of(cloud, CATALOG)
    return cloud, inputs, run(inputs, Exact())


def report_of(done: tuple[Cloud, Inputs, Outcome]) -> FinanceReport:
    cloud, inputs, outcome = done
    return finance_report(inputs, outcome, obligations_of(cloud, CATALOG, inputs), "As it says.")
