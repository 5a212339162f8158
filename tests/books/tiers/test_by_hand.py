"""One site, two tenants and the last two hours of a leap February, worked out on paper.

The node has 8 accelerators and draws 10.2 kW. Of its 16 accelerator-hours the replicas of `small`
hold 8, which both tenants share; rhein trains for 4, and 4 are idle. A leap February has 696
hours, its year 8,784.

Energy at the meter, kWh:     22 o'clock   23 o'clock    both
  inference, shared                    5           15      20
  training, rhein                      5            5      10
  idle                               2.5            5     7.5
  all                               12.5           25    37.5

Tokens:             input   of it cached    output   computed    share
  acme          1,000,000        400,000   200,000    800,000      1/4
  rhein         2,000,000              0   400,000  2,400,000      3/4
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from neocloud.books.gather import gather
from neocloud.books.tiers import TierReport, billed, make_tiers
from neocloud.ledger import (
    Admission,
    AllocationEvent,
    EnergyEvent,
    Ledger,
    Reader,
    UsageEvent,
    ledger_place,
)
from neocloud.spec import Cloud
from neocloud.spec.load import parse_cloud
from neocloud.units import HOUR_NS, Period, new_request_id, parse_utc

from ..metering import event  # noqa: TID252  (one event for all tests of the books)
from .cloud import CATALOG, line

TEXT = """\
name: paper
sites:
  ashburn:
    metro: washington
    pue: 1.25
    facility_usd_per_kw_month: 174
    network_usd_per_gb: 0.01
    power:
      - {kind: grid, capacity_mw: 0.1, usd_per_mwh: 100, take_or_pay: 0.6,
         demand_charge_per_kw_month: 6.96, carbon_g_per_kwh: 400}
    pools:
      - {accelerator: h100-sxm, nodes: 1, availability: 0.75, capex_usd: 43920, life_years: 5,
         residual_share: 0, maintenance_share_per_year: 0.02}
models:
  small: {config: meta-llama/Meta-Llama-3.1-8B, objective: {ttft_ms: 1000, tpot_ms: 40},
          price_per_mtok: {input: 0.20, cached_input: 0.05, output: 0.60}}
tenants: {acme: {}, rhein: {}}
demand:
  - {model: small, tenant: acme, metros: [new-york], requests_per_s: 6, lengths: azure-conv}
contracts:
  - {name: training, tenant: rhein, accelerators: 4, accelerator: h100-sxm, start: 2028-01-01,
     term_months: 12, price: 2.5, take_or_pay: 0.75}
finance: {cost_of_capital: 0, staff_per_accelerator_hour: 0.05, network_per_accelerator_hour: 0.02,
          overhead_share: 0.1}
planning: {carbon_price_per_tonne: 50}
"""
START_NS = parse_utc("2028-02-29T22:00:00Z")
PERIOD = Period(START_NS, START_NS + 2 * HOUR_NS)


@cache
def cloud() -> Cloud:
    return parse_cloud(TEXT, "cloud.yaml", CATALOG)


def usage(number: int, tenant: str, hour: int, **tokens: int) -> UsageEvent:
    admitted_ns = START_NS + hour * HOUR_NS + number
    return event(
        number, request_id=new_request_id(admitted_ns, number), tenant=tenant,
        model="small", replica="ashburn/h100-sxm/small/0", engine="vllm", emulated=False,
        admitted_ns=admitted_ns, first_token_ns=admitted_ns + 10**8,
        finished_ns=admitted_ns + 10**9, **tokens,
    )  # fmt: skip


def held(holder: str, hour: int, accelerators: int, **changes: object) -> AllocationEvent:
    values: dict[str, object] = {
        "event_id": f"{holder}@{hour}", "start_ns": START_NS + hour * HOUR_NS,
        "end_ns": START_NS + (hour + 1) * HOUR_NS, "site": "ashburn", "pool": "h100-sxm",
        "model": "small", "tenant": "", "holder": holder, "accelerator": "h100-sxm",
        "accelerators": accelerators, "purpose": "inference", "busy_s": 3 * 3600.0,
        "emulated": False,
    }  # fmt: skip
    return AllocationEvent(**{**values, **changes})  # type: ignore[arg-type]


def drawn(of: AllocationEvent, kwh: float) -> EnergyEvent:
    return EnergyEvent(
        event_id=of.event_id, start_ns=of.start_ns, end_ns=of.end_ns, site=of.site, pool=of.pool,
        model=of.model, holder=of.holder, kwh=kwh, modelled=True, emulated=False,
        purpose=of.purpose, tenant=of.tenant,
    )  # fmt: skip


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """The two hours as a gateway would have left them in its ledger."""
    path: Path = tmp_path_factory.mktemp("paper") / "ledger.db"
    usages = [
        usage(1, "acme", 0, input_tokens=600_000, cached_tokens=400_000, output_tokens=100_000),
        usage(2, "acme", 1, input_tokens=400_000, output_tokens=100_000),
        usage(3, "rhein", 1, input_tokens=2_000_000, output_tokens=400_000),
    ]
    spans, joules = [], []
    for hour, (serving, idle) in enumerate(((5.0, 2.5), (15.0, 5.0))):
        replica = held("ashburn/h100-sxm/small/0", hour, 4)
        training = held(
            "ashburn/h100-sxm/contract/training", hour, 2, model="", tenant="rhein",
            purpose="training", busy_s=None,
        )  # fmt: skip
        nothing = held("ashburn/h100-sxm/idle", hour, 2, model="", purpose="idle", busy_s=None)
        spans += [replica, training]
        joules += [drawn(replica, serving), drawn(training, 5.0), drawn(nothing, idle)]
    ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=lambda call: call())
    for e in usages:
        ledger.admit(
            Admission(
                request_id=e.request_id,
                admitted_ns=e.admitted_ns,
                tenant=e.tenant,
                key_id=e.key_id,
                model=e.model,
                user_metro=e.user_metro,
                prompt_bytes=4,
                max_output_tokens=e.output_tokens,
            )
        )
        ledger.settle(e, lambda: None)
    for span in spans:
        ledger.record_allocation(span)
    for each in joules:
        ledger.record_energy(each)
    ledger.close()
    return Reader(ledger_place(f"sqlite:///{path}", path.parent, None))


def report(reader: Reader, *by: str) -> TierReport:
    metered = gather(reader, cloud(), CATALOG, PERIOD)
    sold = billed(metered.events, cloud().pricing.billed)
    return make_tiers(cloud(), CATALOG, metered.rows, sold, PERIOD, by or ("tenant",))


def amounts(found: TierReport, tier: int) -> dict[str, Decimal]:
    return {x.name: x.amount for x in found.tiers[tier].lines}


def test_power(reader):
    found = report(reader)
    assert amounts(found, 0) == {
        "energy": Decimal("2.40"),  # 30 kWh that worked, at 0.10, over a PUE of 1.25
        "facility energy": Decimal("0.60"),  # the rest of their 3.00
        "demand charge": Decimal("0.50"),  # 25 kW at 6.96 a month, of which 2 hours of 696
        "take-or-pay energy not drawn": Decimal("8.25"),  # 60 % of 200 kWh, less 37.5, at 0.10
        "carbon": Decimal("0.75"),  # 37.5 kWh at 400 g are 15 kg, at 50 a tonne
        "energy while idle": Decimal("0.75"),  # 7.5 kWh at 0.10
    }
    assert found.tiers[0].cost == Decimal("13.25")
    assert found.tiers[0].quantity == pytest.approx(0.0375)


def test_accelerator_hours(reader):
    found = report(reader)
    # 12 of 16 accelerator-hours worked, so each line is three quarters of the pool's cost.
    assert amounts(found, 1) == {
        "depreciation": Decimal("12.00"),  # 8 x 43,920 over 5 x 8,784 hours are 8 an hour: 16
        "colocation": Decimal("3.825"),  # 10.2 kW at 174 a month, of which 2 hours of 696: 5.10
        "maintenance": Decimal("1.20"),  # 2 % of 351,360 over 8,784 hours are 0.80 an hour: 1.60
        "staff": Decimal("0.60"),  # 16 at 0.05: 0.80
        "network links": Decimal("0.24"),  # 16 at 0.02: 0.32
        "overhead": Decimal("0.5865"),  # a tenth of 5.10, 1.60, 0.80 and 0.32: 0.782
        "idle": Decimal("6.1505"),  # the other quarter of the pool's 24.602
    }
    assert found.tiers[1].cost == Decimal("24.602")
    assert found.tiers[1].cost_so_far == Decimal("37.852")
    (hours,) = found.hours
    assert (hours.standing, hours.sellable) == (16, 12)  # three quarters are available
    assert (hours.inference, hours.training, hours.idle, hours.busy) == (8, 4, 4, 6)


def test_tokens_and_the_identity(reader):
    found = report(reader)
    # 3 million tokens in at 4 bytes, 600,000 out at 250: 0.162 GB at 0.01.
    assert amounts(found, 2) == {"traffic": Decimal("0.00162")}
    assert found.tiers[2].cost_so_far == Decimal("37.85362")
    # acme: 600,000 at 0.20, 400,000 at 0.05, 200,000 at 0.60 a million: 0.26.
    # rhein: 2,000,000 at 0.20 and 400,000 at 0.60: 0.64.
    # The contract names 8 hours and was used for 4, but three quarters are paid: 6 at 2.50.
    assert found.tiers[2].revenue == Decimal("15.90")
    assert found.tiers[2].margin == Decimal("-21.95362")
    i = found.identity
    assert i.non_cash == Decimal(16)
    assert i.cash == Decimal("21.85362")
    assert (i.difference, i.residue) == (0, 0)
    assert line(found, "token", "traffic") + i.power + i.accelerator_hour == i.cash + i.non_cash


def test_who_bears_what(reader):
    by_tenant = {g.tenant: g for g in report(reader).groups}
    told = {
        name: (g.power, g.accelerator_hour, g.token, g.cost, g.revenue, g.margin)
        for name, g in by_tenant.items()
    }
    # acme: 5 kWh 0.50; of the peak 15/25 x 1/4 of 0.50; 2 kg carbon 0.10; 2 of 16 hours.
    assert told["acme"] == tuple(
        map(Decimal, ("0.675", "3.07525", "0.00054", "3.75079", "0.26", "-3.49079"))
    )
    # rhein: 15 + 10 kWh 2.50; of the peak 0.225 + 0.10; 10 kg 0.50; 6 + 4 of 16 hours.
    assert told["rhein"] == tuple(
        map(Decimal, ("3.325", "15.37625", "0.00108", "18.70233", "15.64", "-3.06233"))
    )
    # Nobody: 7.5 kWh 0.75; the peak's 5/25; take-or-pay 8.25; 3 kg 0.15; 4 of 16 hours.
    assert told[""] == tuple(map(Decimal, ("9.25", "6.1505", "0", "15.4005", "0", "-15.4005")))
    assert by_tenant["acme"].accelerator_hours == 2
    assert by_tenant["acme"].energy_kwh == 5


def test_idle_training_and_inference_apart(reader):
    found = {g.use: (g.power, g.accelerator_hour, g.revenue) for g in report(reader, "use").groups}
    assert found == {
        "idle": (Decimal("9.25"), Decimal("6.1505"), 0),
        # 20 kWh 2.00, peak 0.30, carbon 0.40; half of the pool's hours; the tokens.
        "inference": (Decimal("2.70"), Decimal("12.301"), Decimal("0.90")),
        # 10 kWh 1.00, peak 0.10, carbon 0.20; a quarter of the hours; the contract.
        "training": (Decimal("1.30"), Decimal("6.1505"), Decimal(15)),
    }


def test_the_four_utilisations_each_of_its_own_whole(reader):
    u = report(reader).utilisation
    assert u.contracted == pytest.approx(8 / 12)  # 4 accelerators for 2 hours over 12 sellable
    assert u.used == 1  # 8 that served and 4 that trained, over 12
    assert u.busy == pytest.approx(6 / 8)  # 3 of 4 accelerator-hours each hour
    assert u.goodput == pytest.approx(1)
    assert u.inference_of_used == pytest.approx(8 / 12)
    assert u.inference_of_sellable == pytest.approx(8 / 12)


def test_worth_and_emissions_by_the_catalog(reader):
    found = report(reader)
    power = CATALOG.power("washington")
    price, shape = power.price_per_mwh.value, power.price_shape.by_season["dec-feb"]
    # What was drawn by the hour, and what take-or-pay owes beside it.
    worth = price * (0.0125 * shape[22] + 0.025 * shape[23] + 0.0825)
    assert float(found.tiers[0].revenue) == pytest.approx(worth)
    assert found.tiers[1].revenue == 12 * CATALOG.rental_range("h100-sxm").median
    grid, by_hour = power.carbon_g_per_kwh.value, power.carbon_shape.by_season["dec-feb"]
    located = grid * (12.5 * by_hour[22] + 25 * by_hour[23]) / 1000
    assert found.carbon.location_kg == pytest.approx(located)
    assert found.carbon.market_kg == pytest.approx(15)
    # 20 kWh at 400 g for 3.6 million tokens.
    assert found.carbon.market_g_per_mtok == pytest.approx(8000 / 3.6)
    (small,) = found.models
    # Power 2.70, accelerators 12.301 and traffic over 3.6 million tokens; then all 37.85362 shared
    # out by what work cost: inference 15.00262 of 22.45312.
    assert small.cost == pytest.approx(15.00262 / 3.6)
    assert small.cost_with_idle == pytest.approx(15.00262 * 37.85362 / 22.45312 / 3.6)
    assert small.sold == pytest.approx(0.90 / 3.6)


def test_hour_by_hour(reader):
    found = report(reader, "hour")
    told = {g.hour: (g.power, g.accelerator_hour, g.token, g.revenue) for g in found.groups}
    assert told == {
        # 12.5 kWh 1.25, half of what was not drawn 4.125, 5 kg 0.25; 62 MB; acme's first request
        # (200,000 at 0.20, 400,000 at 0.05, 100,000 at 0.60); 3 of the contract's 6 hours.
        "2028-02-29T22": (
            Decimal("5.625"), Decimal("12.301"), Decimal("0.000274"), Decimal("7.62"),
        ),
        # 25 kWh 2.50, 4.125, the peak 0.50, 10 kg 0.50; the rest.
        "2028-02-29T23": (
            Decimal("7.625"), Decimal("12.301"), Decimal("0.001346"), Decimal("8.28"),
        ),
    }  # fmt: skip
    assert found.trend == found.groups
