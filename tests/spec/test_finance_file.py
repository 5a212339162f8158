"""What a file says of money: mistakes where they stand, terms that follow, companies in figures.

The mark § in a case stands where the mistake must be told; it is no part of the file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from neocloud.catalog import load_catalog
from neocloud.spec import Cloud, horizon, summarise

from .texts import RIGHT, problems, read

FIGURES = """\
name: company
tenants: {{lab: {{kind: lab, credit: A}}}}
contracts:
  - {{name: big, tenant: lab, accelerators: 1000, start: 2026-03-10, term_months: 48, price: 2.5}}
finance:
  start: 2026-01-01
{}"""

ASSETS = """\
  assets:
    - {{name: nodes, kind: accelerators, price: 900000, in_service: 2026-03-01{}}}
    - {{name: hall, kind: shell, price: 100000, in_service: 2026-02-01{}}}
"""
DEBT = """\
  assets: [{{name: nodes, kind: accelerators, price: 900000, in_service: 2026-03-01}}]
  debt:
    - {{name: loan, margin: 0.06, start: 2025-06-01, maturity: 2030-01-01, {}}}
"""
TERM = "kind: term_loan, commitment: 500000"
CURVE = "  base_rates: [{{name: sofr, rates: [{{date: 2026-01-01, rate: 0.04}}{}]}}]\n"
COST = "  costs: [{{name: staff, kind: staff{}}}]\n"
SOLD = "  merchant: [{{name: spot, price: 2.35, utilisation: 0.6}}{}]\n"
MARKED_COST = COST.replace("[{{", "[§{{")


CASES = [
    # Assets.
    ("E106", ASSETS.format(", accelerator: §h100-sxm", ""), "Add accelerators"),
    ("E106", ASSETS.format(", accelerators: §8", ""), "has accelerators and no accelerator"),
    ("E112", ASSETS.format("", ", fuel_per_mwh: §30, megawatts: 1"), "of kind generation"),
    ("E112", ASSETS.format("", ", accelerator: §h100-sxm, accelerators: 8"), "of kind shell"),
    ("E112", ASSETS.format(", needs: §[hall]", ", needs: [nodes]"), "nodes needs itself"),
    ("E217", ASSETS.format(", needs: [§hal]", ""), "Did you mean hall?"),
    ("E203", ASSETS.format(", pools: §[here/h100]", ""), "'here/h100' is no pool"),
    # Debt.
    ("E106", DEBT.format("kind: term_loan").replace("- {", "- §{"), "has no commitment"),
    ("E110", DEBT.format("kind: lease, commitment: 9, lease_payment_per_month: 1").replace(
        "- {", "- §{"), "one of commitment, lease_payment_per_month"),
    ("E112", DEBT.format(f"{TERM}, lease_payment_per_month: §9").replace(
        ", commitment: 500000", ""), "a facility of kind term_loan has no lease_payment"),
    ("E112", DEBT.format(f"{TERM}, conversion: §{{date: 2028-01-01}}"), "has no conversion"),
    ("E112", DEBT.format("kind: convertible, commitment: 5, conversion: §{date: 2031-01-01}"),
     "outside of 2025-06-01 to 2030-01-01"),
    ("E112", DEBT.format("kind: lease, commitment: 5, draws: §[{date: 2025-06-01, amount: 5}]"),
     "a facility of kind lease has no draws"),
    ("E104", DEBT.format(f"{TERM}, payment_months: §5"), "Write 1, 3, 6 or 12"),
    ("E112", DEBT.format(f"{TERM}, grace_months: §55"), "for 55 months of 55"),
    ("E112", DEBT.format(f"{TERM}, target_dscr: §1.4, amortisation: annuity"), "of sculpted ones"),
    ("E106", DEBT.format(f"{TERM}, margin_by_credit: §{{A: 0.02}}"), "Add contracts"),
    ("E108", DEBT.format(f"{TERM}, contracts: [big], margin_by_credit: {{§AAB: 0.02}}"), "AA"),
    ("E112", DEBT.format(f"{TERM}, outstanding: §500001"), "above the commitment of 500,000"),
    ("E220", DEBT.format(f"{TERM}, base_rate: §sofr"), "'sofr' is no base rate of this file"),
    ("E104", DEBT.format(f"{TERM}, base_rate: §4"), "write 0.06 for 6 %"),
    ("E112", DEBT.format(f"{TERM}, collateral: [nodes]}}\n    - {{name: second, kind: bond, "
     "commitment: 5, margin: 0.1, start: 2026-01-01, maturity: 2029-01-01, collateral: §[nodes]"),
     "nodes secures loan and second: it counts twice"),
    ("E112", DEBT.format(f"{TERM}, outstanding: §5").replace("2025-06-01", "2026-06-01"),
     "is owed on 2026-01-01, before its start on 2026-06-01"),
    ("E112", DEBT.format(f"{TERM}, outstanding: §5").replace("2030-01-01", "2026-01-01"),
     "loan is owed on 2026-01-01, but matured on 2026-01-01"),
    ("E112", DEBT.format(f"{TERM}, maturity: §2025-06-01").replace(" maturity: 2030-01-01,", ""),
     "the maturity 2025-06-01 is not after 2025-06-01"),
    ("E106", DEBT.format("kind: delayed_draw, commitment: 5").replace("- {", "- §{"),
     "Add draws, or collateral"),
    ("E112", CURVE.format(", §{date: 2026-01-01, rate: 0.03}"), "Order rates by their date"),
    # Running costs, merchant business, opening balance.
    ("E110", MARKED_COST.format(""), "the cost has no sum. Give one of per_month"),
    ("E110", MARKED_COST.format(", per_month: 5, per_mw_month: 5"), "2 sums for one cost"),
    ("E112", COST.format(", per_month: 5, start: 2027-01-01, end: §2027-01-01"), "not after its"),
    ("E210", COST.format(", per_month: 5, currency: §EUR"), "no exchange rate from EUR (staff)"),
    ("E214", COST.format(", per_month: 5}, §{name: staff, kind: other, per_month: 5"), "two costs"),
    ("E112", SOLD.format(", §{name: other, price: 2, utilisation: 1}"), "sell all accelerators"),
    ("E112", "  opening: {property_cost: 5, property_net: §6}\n", "property_net 6 is above"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "finance", "told"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)]
)
def test_a_mistake_is_told_where_it_stands(code: str, finance: str, told: str) -> None:
    before, mark, after = FIGURES.format(finance).partition("§")
    assert mark, "the case says where"
    (found, *more) = problems(before + after)
    assert not more, more
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert (found.code, found.line, found.column) == (code, line, column), str(found)
    assert told in f"{found.message}. {found.remedy}"


def test_what_is_signed_is_signed_before_it_starts() -> None:
    text = FIGURES.format("").replace("price: 2.5", "price: 2.5, signed: 2026-03-11")
    (found,) = problems(text)
    assert (found.code, found.line) == ("E112", 4)
    assert "signed on 2026-03-11, after its start on 2026-03-10" in found.message


def test_pools_are_one_asset_each_and_owned() -> None:
    two = "[ashburn/h100-sxm]"
    text = RIGHT + (
        "finance:\n  assets:\n"
        f"    - {{name: a, kind: accelerators, price: 9, in_service: 2026-01-01, pools: {two}}}\n"
        f"    - {{name: b, kind: accelerators, price: 9, in_service: 2026-01-01, pools: {two}}}\n"
    )
    (found,) = problems(text)
    assert (found.code, found.line) == ("E112", text.count("\n"))
    assert "ashburn/h100-sxm is the asset a already" in found.message
    leased = text.replace("nodes: 2", "nodes: 2, ownership: leased, lease_usd_per_hour: 2")
    assert "is leased" in problems(leased)[0].message


def test_what_is_owed_on_the_first_day_needs_that_day() -> None:
    text = FIGURES.format(DEBT.format(f"{TERM}, outstanding: 5")).replace(
        "  start: 2026-01-01\n", ""
    )
    (found,) = problems(text)
    assert (found.code, found.remedy) == ("E106", "Add start to finance.")


def test_prepaid_money_is_owed_to_somebody() -> None:
    text = RIGHT + "finance: {opening: {contract_liabilities: 5}}\n"
    (found,) = problems(text)
    assert (found.code, found.line) == ("E106", 20)


def facility(terms: str) -> Cloud:
    return read(FIGURES.format(CURVE.format("") + DEBT.format(terms)))


def test_terms_follow_from_each_other() -> None:
    (loan,) = facility(f"{TERM}, base_rate: sofr").finance.debt
    assert (loan.base_rate, loan.interest, loan.day_count) == ("sofr", "floating", "actual/360")
    assert (loan.payment_months, loan.amortisation) == (3, "annuity")
    (fixed,) = facility(TERM).finance.debt
    assert (fixed.base_rate, fixed.interest, fixed.day_count) == (0.0, "fixed", "30/360")
    (bond,) = facility("kind: bond, commitment: 5").finance.debt
    assert (bond.payment_months, bond.amortisation) == (6, "bullet")
    (own,) = facility("kind: bond, commitment: 5, amortisation: straight").finance.debt
    assert own.amortisation == "straight"


def test_a_lease_is_worth_its_payments() -> None:
    """55 payments of 1,000 at half a per cent a month: 1000 (1 - 1.005^-55) / 0.005."""
    (lease,) = facility("kind: lease, lease_payment_per_month: 1000").finance.debt
    assert lease.payment_months == 1
    assert lease.commitment == Decimal("47981.45")
    free = FIGURES.format(DEBT.format("kind: lease, lease_payment_per_month: 1000"))
    assert read(free.replace("0.06", "0")).finance.debt[0].commitment == 55_000


def test_the_months_that_are_reckoned() -> None:
    cloud = read(FIGURES.format(""))
    assert horizon(cloud.contracts, cloud.finance, date(2000, 1, 1)) == (date(2026, 1, 1), 51)
    free = read(FIGURES.format("  cost_of_capital: 0.1\n").replace("  start: 2026-01-01\n", ""))
    assert horizon(free.contracts, free.finance, date(2000, 1, 1)) == (date(2026, 3, 1), 49)
    paid = read(FIGURES.format("  equity: [{date: 2025-12-31, amount: 5}]\n").replace(
        "  start: 2026-01-01\n", ""))  # fmt: skip
    assert horizon(paid.contracts, paid.finance, date(2000, 1, 1)) == (date(2025, 12, 1), 52)
    assert horizon((), read(RIGHT).finance, date(2026, 5, 9)) == (date(2026, 5, 1), 60)
    long = read(FIGURES.format("").replace("term_months: 48", "term_months: 480"))
    assert horizon(long.contracts, long.finance, date(2000, 1, 1))[1] == 240


def test_what_comes_after_the_last_month_is_noted() -> None:
    late = ASSETS.format("", "").replace("2026-02-01", "2027-01-01")
    cloud = read(
        FIGURES.format(f"  months: 12\n{late}  equity: [{{date: 2027-05-01, amount: 1}}]\n")
    )
    told = [note for note in cloud.notes if "does not count" in note.message]
    assert [note.line for note in told] == [10, 11]
    assert told[0].message.startswith("asset hall is in service on 2027-01-01, after the 12 months")
    assert told[1].message.endswith("Raise finance.months.")


def test_a_company_in_figures_needs_no_models() -> None:
    cloud = read(FIGURES.format(""))
    assert (dict(cloud.sites), dict(cloud.models), cloud.demand) == ({}, {}, ())
    assert summarise(cloud, load_catalog()).accelerators == 0
    site = "sites: {us: {metro: dallas, power_ladder: [{date: 2026-01-01, active_mw: 850}]}}\n"
    assert read(FIGURES.format("") + site).sites["us"].pools == ()


@pytest.mark.parametrize("section", ["contracts", "finance"])
def test_any_other_file_needs_them_as_before(section: str) -> None:
    text = FIGURES.format("")
    cut = text.index("finance:")
    without = text[:cut] if section == "finance" else text[: text.index("contracts:")] + text[cut:]
    told = [problem.message for problem in problems(without)]
    assert told == [f"the cloud has no {name}" for name in ("sites", "models", "demand")]
    (found,) = problems(
        RIGHT.replace("    pools:\n      - {accelerator: h100-sxm, nodes: 2}\n", "")
    )
    assert (found.code, found.message) == ("E106", "sites.ashburn has no pools")


@pytest.mark.parametrize("verb", ["plan", "usage", "key"])
def test_a_verb_that_needs_models_says_so(tmp_path: Path, verb: str) -> None:
    (tmp_path / "cloud.yaml").write_text(FIGURES.format(""))
    asked = {"key": ("key", "list", "cloud.yaml")}.get(verb, (verb, "cloud.yaml"))
    done = subprocess.run(
        [sys.executable, "-m", "neocloud.cli.main", *asked],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 2
    told = done.stderr.replace("\n", " ")
    assert "cloud.yaml:1: the cloud has no sites, pools, models, demand" in told, told
    assert "Add sites, pools, models, demand" in told
