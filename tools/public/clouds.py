"""Writes the cloud files of `examples/public` from public figures: `python tools/public/clouds.py`.

The method, the same for every company and quarter:

- power that is active when a quarter begins earns in it what a megawatt that was active when the
  quarter before began earned in that one, by the hour; so do depreciation and cost of revenue;
- what becomes active within a quarter earns and is depreciated from the next one on;
- debt costs what it cost in the quarter before; what the quarter's capital expenditure needs beyond
  cash and earnings is drawn as needed at the price of the latest issue.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

from figures import PUBLIC, Figure, read_figures
from iren import iren_microsoft
from quarter import Customer, Owed, Quarter
from quarters import QUARTERS
from written import Writer, days_between, months_later

_CREDIT_KINDS = {"microsoft": "hyperscaler", "meta": "hyperscaler"}
_LATER = "a year after the quarter begins: when it will be delivered was not found"
_HEAD = """\
# A reconstruction, not {company}'s own model: {company} as it stood on {before}, from published
# filings and press. It is for {name}, of which nothing here knows: each figure is about what was
# before, or is an outlook published by {cut_off}. Made by `python tools/public/clouds.py`;
# the method, the errors and what is not known: docs/public-examples.md.
#
# Money in the formulas is in millions of dollars. Figures used, with source, date and quality:
"""


def cloud_file(quarter: Quarter, figures: Mapping[str, Figure]) -> str:
    """The text of a quarter's cloud file."""
    writer = Writer(figures)
    before = months_later(quarter.first, -3)
    _names(writer, quarter, days_between(before, quarter.first))
    writer.plain(f"name: {quarter.file.removesuffix('.yaml')}")
    writer.plain("currency: USD")
    _ladder(writer, quarter)
    _tenants(writer, quarter)
    undelivered = _contracts(writer, quarter)
    _finance(writer, quarter, undelivered)
    head = _HEAD.format(
        company=quarter.company,
        before=quarter.first - timedelta(days=1),
        name=quarter.name,
        cut_off=quarter.cut_off,
    )
    parts = [head.rstrip("\n"), *writer.sources(), "#", *writer.names]
    parts += [f"# note: {note}" for note in quarter.notes]
    return "\n".join([*parts, "", *writer.lines]) + "\n"


def _names(writer: Writer, quarter: Quarter, days: int) -> None:
    writer.let("power_before", quarter.power_before)
    writer.let("power_now", quarter.power_now)
    writer.let("revenue", quarter.revenue)
    writer.let("accelerators_mw", quarter.accelerators)
    writer.let("price", f"1000000*revenue/(power_before*accelerators_mw*24*{days})")
    if quarter.ebitda:
        writer.let("ebitda", quarter.ebitda)
        writer.let("running", quarter.running)
    if quarter.depreciation:
        writer.let("cost_mw", f"4*{quarter.life}*{quarter.depreciation}/power_before")
    if quarter.capex:
        writer.let("capex", quarter.capex)
    if quarter.interest:
        writer.let("interest", quarter.interest)
        writer.let("debt_before", quarter.debt_before)
        writer.let("debt_now", quarter.debt_now)
        writer.let("rate", quarter.rate)
        if len(quarter.owed) > 1:
            listed = [one for one in quarter.owed if one.first_day is None]
            weighed = "+".join(f"{one.principal}*{one.rate.removesuffix('*net')}" for one in listed)
            writer.let("net", f"rate*debt_now/({weighed})")


def _ladder(writer: Writer, quarter: Quarter) -> None:
    """Power by day. Its place is made up: the companies stand at dozens."""
    writer.plain("sites:")
    writer.plain("  fleet:")
    writer.plain(f"    metro: {quarter.metro}  # assumption: one of many places")
    writer.plain("    power_ladder:")
    before = months_later(quarter.first, -3)
    writer.assumed("      - ", "date", before, "the quarter before begins")
    writer.number("        ", "active_mw", "power_before", 3)
    writer.assumed("      - ", "date", quarter.first, "the quarter begins")
    writer.number("        ", "active_mw", "power_now", 3)
    if quarter.contracted:
        writer.number("        ", "contracted_mw", quarter.contracted)
    if quarter.target is not None:
        day, power = quarter.target
        writer.assumed("      - ", "date", day, "the company's outlook; no forecast uses it")
        writer.number("        ", "active_mw", power)
        if quarter.contracted:
            writer.number("        ", "contracted_mw", quarter.contracted)


def _tenants(writer: Writer, quarter: Quarter) -> None:
    writer.plain("tenants:")
    for customer in quarter.customers:
        writer.plain(f"  {customer.key}:")
        if customer.credit != "unrated":
            writer.plain(f"    credit: {customer.credit}  # assumption: by rating agencies, 2025")
        if kind := _CREDIT_KINDS.get(customer.key):
            writer.plain(f"    kind: {kind}")


def _term(quarter: Quarter) -> str:
    """Months of the usual contract, as it was last published."""
    return "12*cw_wal25" if quarter.first >= date(2026, 1, 1) else "12*cw_wal24"


def _contracts(writer: Writer, quarter: Quarter) -> bool:
    """What is delivered now, and what is signed and is not; true where there is some of that."""
    writer.plain("contracts:")
    months = _term(quarter)
    term = int(writer.evaluate(months))
    hours = 24 * days_between(quarter.first, months_later(quarter.first, term))
    shares = [customer.share for customer in quarter.customers if customer.share]
    for customer in quarter.customers:
        if customer.undelivered:
            continue
        share = customer.share or "-".join(["100", *shares])
        part = "" if share == "100" else f"*({share})/100"
        _contract(writer, customer, customer.key, quarter.first)
        writer.number("    ", "accelerators", f"power_now*accelerators_mw{part}")
        writer.number("    ", "term_months", months)
        writer.number("    ", "price", "price", 6)
    if quarter.backlog:
        value = f"1000000*({quarter.backlog})-price*power_now*accelerators_mw*{hours}"
        writer.let("undelivered", f"({value})/(price*{_hours_later(quarter, term)})")
        others = quarter.customers[-1]
        _contract(writer, others, "signed", quarter.first, later=True)
        writer.number("    ", "accelerators", "undelivered")
        writer.number("    ", "term_months", months)
        writer.number("    ", "price", "price", 6)
        return True
    later = [customer for customer in quarter.customers if customer.undelivered]
    for customer in later:
        _signed(writer, quarter, customer)
    if later:
        parts = "+".join(customer.undelivered for customer in later)
        hours = _hours_later(quarter, int(later[0].months))
        writer.let("undelivered", f"1000000*({parts})/(price*{hours})")
    return bool(later)


def _signed(writer: Writer, quarter: Quarter, customer: Customer) -> None:
    hours = _hours_later(quarter, int(customer.months))
    _contract(writer, customer, f"{customer.key}-signed", quarter.first, later=True)
    formula = f"1000000*{customer.undelivered}/(price*{hours})"
    writer.number("    ", "accelerators", formula)
    writer.assumed("    ", "term_months", customer.months, "five years, as its other contracts")
    writer.number("    ", "price", "price", 6)


def _hours_later(quarter: Quarter, months: int) -> int:
    start = months_later(quarter.first, 12)
    return 24 * days_between(start, months_later(start, months))


def _contract(
    writer: Writer, customer: Customer, key: str, first: date, *, later: bool = False
) -> None:
    """The head of a contract of the quarter that begins on `first`; `later`: of a year after."""
    start = months_later(first, 12) if later else first
    writer.plain(f"  - name: {key}")
    writer.plain(f"    tenant: {customer.key}")
    why = _LATER if later else "the remaining term is a new one's; what earns is what is active"
    writer.assumed("    ", "start", start, why)
    day = first - timedelta(days=1)
    writer.assumed("    ", "signed", day, "by then: it is part of what the company calls signed")
    if later:
        writer.plain("    requires: [building, later-build]")


def _finance(writer: Writer, quarter: Quarter, undelivered: bool) -> None:
    writer.plain("finance:")
    writer.assumed("  ", "start", quarter.first, "the quarter that is forecast begins")
    writer.number("  ", "months", f"{_term(quarter)}+12" if undelivered else _term(quarter))
    writer.assumed("  ", "receivable_days", 0, "customers pay at once: balances were not found")
    writer.assumed("  ", "payable_days", 0, "as receivables")
    if quarter.cash:
        if quarter.cash_origin:
            writer.plain(f"  # {quarter.cash_origin}")
        for key in ("opening_cash", "minimum_cash"):
            writer.number("  ", key, f"1000000*{quarter.cash}")
    if quarter.ebitda:
        writer.plain("  costs:")
        writer.plain("    - name: running")
        writer.plain("      kind: colocation")
        writer.number("      ", "per_month", "1000000*running/3*power_now/power_before")
        writer.plain("    - name: company")
        writer.plain("      kind: overhead")
        writer.number("      ", "per_month", "1000000*(revenue-ebitda-running)/3")
    if quarter.depreciation:
        _assets(writer, quarter, undelivered)
    if quarter.owed:
        _debt(writer, quarter, undelivered)
    if quarter.equity:
        writer.plain("  equity:")
        for day, formula in quarter.equity.items():
            writer.plain(f"    - date: {day}  # assumption: announced in the month; the day")
            writer.number("      ", "amount", f"1000000*{formula}")


def _assets(writer: Writer, quarter: Quarter, undelivered: bool) -> None:
    """The fleet, what was added in the quarter before, the quarter's building, and the rest."""
    later = months_later(quarter.first, 12)
    old = months_later(quarter.first, -15)
    rows = [
        ("fleet", old, "power_before*cost_mw", "a year old on average"),
        ("added", quarter.first, "(power_now-power_before)*cost_mw", "it counts from here on"),
    ]
    if quarter.capex:
        next_one = months_later(quarter.first, 3)
        rows.append(("building", next_one, "capex", "in service a quarter later"))
    writer.plain("  assets:")
    for key, day, price, why in rows:
        _asset(writer, quarter, key, day, price, why)
        if key == "building":
            _payments(writer, (3, 2, 1))
    if undelivered:
        built = "undelivered/accelerators_mw*cost_mw-capex"
        writer.let("later", f"most(0,{built})")
        price = "later"
        _asset(writer, quarter, "later-build", later, price, _LATER)
        _payments(writer, (6, 4, 2))


def _asset(writer: Writer, quarter: Quarter, key: str, day: date, price: str, why: str) -> None:
    writer.plain(f"    - name: {key}")
    writer.plain("      kind: accelerators  # with all that belongs to them")
    writer.number("      ", "price", f"1000000*({price})")
    writer.assumed("      ", "in_service", day, why)
    writer.number("      ", "life_years", quarter.life, 2)
    writer.plain("      accelerator: h100-sxm  # assumption: the kind of most of the fleet in 2024")
    writer.number("      ", "accelerators", f"({price})/cost_mw*accelerators_mw")
    writer.number("      ", "megawatts", f"({price})/cost_mw", 3)
    writer.assumed("      ", "availability", 1, "revenue by the megawatt is of what was available")
    writer.assumed("      ", "maintenance_share_per_year", 0, "within the running cost")
    if key == "added":
        writer.plain("      payments:")
        writer.assumed("        - ", "months_before_service", 1, "paid before the quarter")
        writer.assumed("          ", "share", 1, "in full")


def _payments(writer: Writer, months: tuple[int, int, int]) -> None:
    writer.plain("      payments:")
    for place, month in enumerate(months):
        writer.assumed("        - ", "months_before_service", month, "evenly over the time")
        writer.assumed("          ", "share", "0.34" if place == 0 else "0.33", "evenly")


def _policy_rate(quarter: Quarter) -> str:
    """The latest federal funds target that was known."""
    if quarter.first >= date(2026, 1, 1):
        return "ffr_2025-12/100"
    return "ffr_2025-10/100" if quarter.first >= date(2025, 10, 1) else "ffr_2024-12/100"


def _debt(writer: Writer, quarter: Quarter, undelivered: bool) -> None:
    base = _policy_rate(quarter)
    writer.plain("  base_rates:")
    writer.plain("    - name: sofr")
    writer.plain("      rates:")
    writer.assumed("        - ", "date", quarter.first, "SOFR stays at the middle of the target")
    writer.number("          ", "rate", base, 6)
    writer.plain("  debt:")
    for one in quarter.owed:
        _owed(writer, quarter, one, base)
    later = "+later" if undelivered else ""
    writer.plain("    - name: new-debt")
    writer.plain("      kind: revolver")
    writer.number("      ", "commitment", f"1000000*(capex{later})")
    writer.assumed("      ", "start", quarter.first, "lenders give what is to be built")
    term = int(writer.evaluate(_term(quarter)))
    last, end = months_later(quarter.first, term + 12), months_later(quarter.first, term + 24)
    writer.assumed("      ", "available_until", last, "as long as the file runs")
    writer.assumed("      ", "maturity", end, "it is refinanced beyond what the file shows")
    _floating(writer, quarter.new_rate, base)
    writer.plain("      amortisation: bullet  # assumption: refinanced")


def _owed(writer: Writer, quarter: Quarter, one: Owed, base: str) -> None:
    writer.plain(f"    - name: {one.key}")
    writer.plain(f"      kind: {one.kind}")
    writer.number("      ", "commitment", f"1000000*{one.principal}")
    start = one.first_day or months_later(quarter.first, -12)
    why = one.days_origin if one.first_day else "before the quarter; the day changes nothing"
    writer.assumed("      ", "start", start, why)
    if one.first_day is None:
        writer.number("      ", "outstanding", f"1000000*{one.principal}")
    writer.assumed("      ", "maturity", one.maturity, one.days_origin.removeprefix("assumption: "))
    if one.kind == "term_loan":
        _floating(writer, one.rate, base)
    else:
        writer.number("      ", "margin", f"({one.rate})/100", 6)
    writer.plain(f"      amortisation: {one.amortisation}")


def _floating(writer: Writer, rate: str, base: str) -> None:
    writer.plain("      base_rate: sofr")
    writer.number("      ", "margin", f"most(0,({rate})/100-{base})", 6)
    writer.plain("      day_count: actual/365  # the rates are a year's cost")


def files(figures: Mapping[str, Figure]) -> Mapping[str, str]:
    """Every file by its name."""
    texts = {quarter.file: cloud_file(quarter, figures) for quarter in QUARTERS}
    return texts | {"iren-microsoft.yaml": iren_microsoft(figures)}


def main(folder: Path = PUBLIC) -> int:
    """Writes the files."""
    for name, text in files(read_figures()).items():
        (folder / name).write_text(text)
        print(folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
