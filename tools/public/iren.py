"""IREN's contract with Microsoft as a project: one customer, one order, one loan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from figures import Figure
from written import Writer, months_later

_START = date(2026, 7, 1)
_MONTHS = 60
_HEAD = """\
# A reconstruction, not IREN's own model: its contract with Microsoft as a project of its own,
# from filings and press. Made by `python tools/public/clouds.py`; what it shows:
# docs/public-examples.md.
#
# Money in the formulas is in millions of dollars. Figures used, with source, date and quality:
"""


def iren_microsoft(figures: Mapping[str, Figure]) -> str:
    """The text of its cloud file."""
    writer = Writer(figures)
    end = months_later(_START, _MONTHS)
    # Years of 365 days: the leap day of the term is sold at the same price.
    writer.let("price", "1000000*ir_tcv/(ir_gpus*ir_term*8760)")
    writer.let("prepaid", "ir_tcv*ir_prepct/100")
    for line in ("name: iren-microsoft", "currency: USD", "tenants:", "  microsoft:"):
        writer.plain(line)
    writer.plain("    credit: AAA  # assumption: by rating agencies, 2025")
    writer.plain("    kind: hyperscaler")
    _contract(writer)
    writer.plain("finance:")
    writer.assumed("  ", "start", months_later(_START, -6), "half a year before delivery")
    writer.assumed("  ", "receivable_days", 0, "invoices are paid at once")
    writer.assumed("  ", "payable_days", 0, "as receivables")
    writer.plain("  costs:")
    writer.plain("    - name: running")
    writer.plain("      kind: other")
    writer.number("      ", "share_of_revenue", "1-ir_ebm/100", 6)
    writer.assumed("      ", "variable_share", 0, "it does not fall with use")
    writer.plain("      contracts: [microsoft]")
    _asset(writer)
    _loan(writer, end)
    writer.plain("  equity:")
    writer.plain(f"    - date: {months_later(_START, -5)}  # assumption: before the first payment")
    writer.number("      ", "amount", "1000000*(ir_dell-ir_ddtl-prepaid)")
    parts = [_HEAD.rstrip("\n"), *writer.sources(), "#", *writer.names]
    return "\n".join([*parts, "", *writer.lines]) + "\n"


def _contract(writer: Writer) -> None:
    writer.plain("contracts:")
    writer.plain("  - name: microsoft")
    writer.plain("    tenant: microsoft")
    writer.number("    ", "accelerators", "ir_gpus")
    writer.assumed("    ", "start", _START, "in phases through 2026 (press release of 2025-11-06)")
    writer.assumed("    ", "signed", "2025-11-03", "told on that day (press release)")
    writer.number("    ", "term_months", "12*ir_term")
    writer.number("    ", "price", "price", 6)
    writer.plain("    requires: [gb300]")
    writer.plain("    prepayments:")
    day = months_later(_START, -5)
    writer.assumed("      - ", "date", day, "ahead of delivery; in tranches, days not published")
    writer.number("        ", "amount", "1000000*prepaid")


def _asset(writer: Writer) -> None:
    writer.plain("  assets:")
    writer.plain("    - name: gb300")
    writer.plain("      kind: accelerators  # with all that the order holds")
    writer.number("      ", "price", "1000000*ir_dell")
    writer.assumed("      ", "in_service", _START, "when delivery begins")
    writer.assumed("      ", "life_years", 5, "the term of the contract")
    writer.plain("      accelerator: gb300-nvl72")
    writer.number("      ", "accelerators", "ir_gpus")
    writer.number("      ", "megawatts", "ir_mw")
    writer.assumed("      ", "availability", 1, "the contract's price is of what is delivered")
    writer.assumed("      ", "maintenance_share_per_year", 0, "within the running cost")
    writer.plain("      payments:")
    for month, share in ((4, "1-ir_ddtl/ir_dell"), (0, "ir_ddtl/ir_dell")):
        why = "what the loan does not pay comes first"
        writer.assumed("        - ", "months_before_service", month, why)
        writer.number("          ", "share", share, 6)


def _loan(writer: Writer, end: date) -> None:
    start = months_later(_START, -6)
    writer.plain("  base_rates:")
    writer.plain("    - name: sofr")
    writer.plain("      rates:")
    writer.assumed("        - ", "date", start, "it stays at the middle of the target")
    writer.number("          ", "rate", "ffr_2025-12/100", 6)
    writer.plain("  debt:")
    writer.plain("    - name: gpu-loan")
    writer.plain("      kind: delayed_draw")
    writer.number("      ", "commitment", "1000000*ir_ddtl")
    writer.assumed("      ", "start", start, "told in 2026-02; whole quarters before service")
    writer.assumed("      ", "available_until", _START, "until it is in service")
    writer.assumed("      ", "maturity", end, "five years from service, paid back in full")
    writer.plain("      draws:")
    writer.assumed("        - ", "date", _START, "whole, when service begins")
    writer.number("          ", "amount", "1000000*ir_ddtl")
    writer.plain("      base_rate: sofr")
    writer.number("      ", "margin", "0.06-ffr_2025-12/100", 6)
    writer.plain("      day_count: 30/360  # assumption: equal quarters")
    writer.plain("      amortisation: annuity")
    writer.plain("      contracts: [microsoft]")
    writer.plain("      collateral: [gb300]")
    writer.plain("      covenants:")
    writer.number("        ", "min_dscr", "pf_dscr_c", 4)
