"""Rows worked out by hand: prices, parts, corrections, tax, credits, contracts, currencies."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from neocloud.books.focus import FocusExport, make_export
from neocloud.books.invoices import credit_invoice
from neocloud.units import HOUR_NS, parse_period, parse_utc

from ..invoices.shop import Memory, Shop, cloud, held, usage  # noqa: TID252
from .case import DECEMBER, NOVEMBER, OCTOBER, Case

D = Decimal


def exported(shop: Shop, month: str, tenant: str = "") -> FocusExport:
    """A month of a shop, ten days after its end."""
    now_ns = parse_period(month).end_ns + 10 * 24 * HOUR_NS
    return make_export(shop.office, month, now_ns, tenant)


def closed(folder: Path, cloud_, source: Memory, tenant: str = "acme") -> FocusExport:
    shop = Shop(folder, cloud_, source)
    shop.close(OCTOBER, tenant)
    return exported(shop, OCTOBER)


def test_a_token_row_is_price_times_millions_and_bills_the_cent(tmp_path):
    source = Memory([usage("2026-10-05", input_tokens=1_234_567)])
    (row,) = closed(tmp_path, cloud(), source).rows
    # 1.234567 million at 0.26: 0.32098742, on the invoice 0.32.
    assert (row.pricing_quantity, row.pricing_unit) == (D("1.234567"), "1000000 Tokens")
    assert (row.consumed_quantity, row.consumed_unit) == (1_234_567, "Tokens")
    assert row.list_unit_price == row.contracted_unit_price == D("0.26")
    assert row.list_cost == row.contracted_cost == row.effective_cost == D("0.32098742")
    assert (row.billed_cost, row.invoice_id) == (D("0.32"), "SHOP-000001")
    assert (row.charge_category, row.charge_class, row.sku_id) == ("Usage", "", "llama/input")
    assert (row.region_id, row.region_name) == ("washington", "Washington (Ashburn)")
    assert row.availability_zone == "ashburn"
    assert (row.charge_period_start, row.charge_period_end) == (
        "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z",
    )  # fmt: skip
    assert json.loads(row.tags) == {"neocloud:api": "chat", "neocloud:priority": "normal"}


def test_a_tiny_request_is_billed_nothing_and_still_costs_something(tmp_path):
    source = Memory([usage("2026-10-05", input_tokens=0, output_tokens=20)])
    cheap = cloud(prices="{input: 0.01, output: 0.01}")
    (row,) = closed(tmp_path, cheap, source).rows
    assert (row.billed_cost, row.effective_cost) == (0, D("0.0000002"))


def test_tax_and_a_foreign_currency(tmp_path):
    source = Memory([usage("2026-10-05", tenant="rhein", input_tokens=0, output_tokens=10**7)])
    export = closed(tmp_path, cloud(), source, "rhein")
    used, tax = export.rows
    # 10 million at 0.55 dollars; a euro is 1.25 dollars: 0.44 euros a million.
    assert (used.billing_currency, used.pricing_currency) == ("EUR", "USD")
    assert (used.contracted_unit_price, used.contracted_cost) == (D("0.44"), D("4.4"))
    assert used.pricing_currency_contracted_unit_price == D("0.55")
    assert used.pricing_currency_effective_cost == D("5.5")
    assert tax.charge_category == "Tax"
    assert tax.billed_cost == tax.effective_cost == D("0.84")
    assert tax.sku_id == tax.pricing_unit == tax.pricing_category == ""
    assert tax.pricing_quantity is tax.list_unit_price is None
    assert [each.total for each in export.totals] == [D("5.24")]


def test_an_endless_fraction_still_multiplies_out(tmp_path):
    thirds = cloud(EUR="EUR", **{"1.25": "0.75"})
    source = Memory([usage("2026-10-05", tenant="rhein", input_tokens=3_000_001)])
    used = closed(tmp_path, thirds, source, "rhein").rows[0]
    # 0.26 / 0.75 is 0.34666...; the price is rounded to twelve decimals, the cost is not.
    assert used.contracted_unit_price == D("0.346666666667")
    assert used.contracted_cost == D("0.346666666667") * D("3.000001")
    assert used.billed_cost == D("1.04")


def test_a_discount_for_one_tenant_is_contracted_and_one_for_all_is_listed(tmp_path):
    case = Case(tmp_path)
    rows = case.export(NOVEMBER).rows
    batch = next(r for r in rows if r.charge_description == "llama, output tokens, batch")
    assert batch.list_unit_price == batch.contracted_unit_price == D("0.25")
    assert batch.sku_price_id.endswith("/2026-11-15/tier-1/batch")
    partner = next(r for r in rows if r.charge_description == "llama, output tokens, partner")
    assert partner.pricing_currency_list_unit_price == D("0.5")
    assert partner.pricing_currency_contracted_unit_price == D("0.45")
    assert "partner" not in partner.sku_price_id


def test_a_line_over_two_sites_is_two_rows_that_add_up(tmp_path):
    case = Case(tmp_path)
    export = case.export(NOVEMBER)
    line = case.issued[4].lines[5]
    assert (line.quantity, line.amount) == (6_623_456, D("1.59"))
    rows = [r for r in export.rows if r.invoice_detail_id == "ONE-000004/6"]
    assert [(r.region_id, r.availability_zone) for r in rows] == [
        ("washington", "ashburn"), ("frankfurt", "main"),
    ]  # fmt: skip
    assert [r.consumed_quantity for r in rows] == [5_123_455, 1_500_001]
    assert [r.billed_cost for r in rows] == [D("1.23"), D("0.36")]
    assert sum(r.effective_cost for r in rows) == line.exact
    (detail,) = [d for d in export.details if d.invoice_detail_id == "ONE-000004/6"]
    assert detail.billed_cost == line.amount


def test_a_place_that_cannot_be_told_is_left_empty(tmp_path):
    case = Case(tmp_path)
    row = next(
        r for r in case.export(NOVEMBER).rows if r.charge_description == "gemma, input tokens"
    )
    # Two sites filled the first tier together: which tokens of it are whose, nobody can say.
    assert (row.region_id, row.availability_zone) == ("", "")


def test_late_requests_are_a_correction_of_their_month_on_the_next_invoice(tmp_path):
    case = Case(tmp_path)
    late = [
        r
        for r in case.export(NOVEMBER).rows
        if r.charge_class == "Correction" and r.invoice_id == "ONE-000004"
    ]
    assert [(r.consumed_quantity, r.billed_cost) for r in late] == [
        (600_000, D("0.16")), (100_000, D("0.06")),
    ]  # fmt: skip
    assert {r.charge_period_start for r in late} == {"2026-10-01T00:00:00Z"}
    assert {r.billing_period_start for r in late} == {"2026-11-01T00:00:00Z"}


def test_a_credit_note_falls_into_the_month_of_its_issue(tmp_path):
    case = Case(tmp_path)
    october, november = case.export(OCTOBER), case.export(NOVEMBER)
    assert "ONE-CN-000001" not in {r.invoice_id for r in october.rows}
    note = [r for r in november.rows if r.invoice_id == "ONE-CN-000001"]
    taken = [r for r in october.rows if r.invoice_id == "ONE-000003"]
    assert [-r.billed_cost for r in note] == [r.billed_cost for r in taken]
    assert [-r.effective_cost for r in note] == [r.effective_cost for r in taken]
    assert {r.charge_class for r in note} == {"Correction"}
    assert {
        d.reference_invoice_id for d in november.details if d.invoice_id in "ONE-CN-000001"
    } == {"ONE-000003"}


def test_a_prepaid_credit_is_a_credit_row_and_comes_back_with_a_credit_note(tmp_path):
    prepaid = "prepaid_credits: [{name: top-up, amount: 100, date: 2026-10-01}]"
    shop = Shop(tmp_path, cloud(acme=prepaid), Memory([usage("2026-10-05")]))
    shop.close(OCTOBER)
    _, used = exported(shop, OCTOBER).rows
    assert (used.charge_category, used.billed_cost, used.charge_class) == (
        "Credit", D("-0.26"), "",
    )  # fmt: skip
    note_ns = parse_utc("2026-11-20")
    credit_invoice(shop.books, "SHOP-000001", "no", note_ns, bill_again=False)
    export = exported(shop, NOVEMBER)
    assert [r.billed_cost for r in export.rows] == [D("-0.26"), D("0.26")]
    assert [each.total for each in export.totals] == [0]


RESERVED = (
    "  - {name: year, tenant: acme, accelerators: 10, price: 2, start: 2026-10-01, "
    "term_months: 12, take_or_pay: 0.5, prepayments: [{date: 2026-10-01, amount: 8760}]}"
)


def test_take_or_pay_and_a_prepayment(tmp_path):
    """October holds 7,440 hours, half is paid: 3,720; 3,000 are used, 720 are not.

    8,760 dollars are paid ahead for 365 days: 744 of them in October.
    """
    source = Memory(spans=[held("2026-10-01", 300, 10, "contract/year")])
    export = closed(tmp_path, cloud(contracts=RESERVED), source)
    rows = {r.charge_description.partition(", ")[2]: r for r in export.rows}
    used = rows["contract year"]
    assert (used.list_cost, used.contracted_cost, used.billed_cost) == (9600, 6000, 6000)
    assert (used.capacity_reservation_id, used.capacity_reservation_status) == ("year", "Used")
    assert used.pricing_unit == used.consumed_unit == "Accelerator-Hours"
    short = rows["committed, beyond metered use"]
    assert (short.pricing_quantity, short.billed_cost, short.effective_cost) == (720, 1440, 1440)
    assert (short.capacity_reservation_status, short.consumed_quantity) == ("Unused", 0)
    paid = rows["prepayment"]
    assert (paid.charge_category, paid.charge_frequency) == ("Purchase", "One-Time")
    assert (paid.billed_cost, paid.effective_cost, paid.pricing_quantity) == (8760, 0, 1)
    released = rows["paid by prepayment"]
    assert (released.charge_category, released.billed_cost) == ("Adjustment", -744)
    assert released.effective_cost == 0
    # What is paid ahead moves between months, and costs when it is used.
    assert sum(r.effective_cost for r in export.rows) == 7440
    assert sum(r.billed_cost for r in export.rows) == 7440 + 8760 - 744 == export.totals[0].total


def test_commitments(tmp_path):
    source = Memory(spans=[held("2026-10-01", 300, 10, "contract/year")])
    export = closed(tmp_path, cloud(contracts=RESERVED), source)
    (row,) = export.commitments
    # 8,760 hours of 10, half of them committed at 2 dollars; a tenth is paid ahead.
    assert (row.contract_commitment_quantity, row.contract_commitment_cost) == (43_800, 87_600)
    assert row.contract_commitment_payment_model == "Partial Upfront"
    assert row.contract_commitment_payment_upfront_percentage == D("0.1")
    assert row.contract_commitment_duration_type == "12 Months"
    assert row.contract_commitment_lifecycle_status == "Active"
    used = json.loads(export.rows[0].contract_applied)["Elements"]
    assert used == [
        {
            "ContractId": "year", "ContractCommitmentId": row.contract_commitment_id,
            "ContractCommitmentAppliedQuantity": 3000,
            "ContractCommitmentAppliedUnit": "Accelerator-Hours",
        }
    ]  # fmt: skip


def test_a_missed_service_level_is_a_credit_and_a_minimum_spend_an_adjustment(tmp_path):
    case = Case(tmp_path)
    rows = case.export(OCTOBER).rows
    missed = next(r for r in rows if "service level" in r.charge_description)
    assert (missed.charge_category, missed.billed_cost) == ("Credit", D("-562.46"))
    least = next(r for r in rows if "Minimum spend" in r.charge_description)
    assert (least.charge_category, least.billed_cost) == ("Adjustment", D("88.51"))
    counted = json.loads(least.contract_applied)["Elements"][0]
    assert counted["ContractCommitmentId"] == "rhein/minimum-spend/2026-10"


@pytest.mark.parametrize("month", [OCTOBER, NOVEMBER])
def test_every_row_reconciles_to_its_document(tmp_path, month):
    case = Case(tmp_path)
    export = case.export(month)
    made = {each.number: each for each in case.issued}
    assert {t.invoice_id: t.total for t in export.totals} == {
        t.invoice_id: made[t.invoice_id].total for t in export.totals
    }
    for total in export.totals:
        document = made[total.invoice_id]
        rows = [r for r in export.rows if r.invoice_id == total.invoice_id]
        details = [d for d in export.details if d.invoice_id == total.invoice_id]
        assert sum(r.billed_cost for r in rows) == document.total
        assert sum(d.billed_cost for d in details) == document.total
        for number, line in enumerate(document.lines, 1):
            of = [r for r in rows if r.invoice_detail_id == f"{total.invoice_id}/{number}"]
            assert sum(r.billed_cost for r in of) == line.amount
            assert {r.charge_description for r in of} == {line.text}
            if line.quantity is not None and line.unit == "token":
                assert sum(r.pricing_quantity for r in of) * 10**6 == line.quantity
        assert len({r.invoice_detail_id for r in rows}) == len(details)


def test_an_open_month_is_use_without_an_invoice(tmp_path):
    case = Case(tmp_path)
    export = case.export(DECEMBER)
    assert export.open_tenants == ("acme", "rhein", "kyoto")
    assert {r.invoice_id for r in export.rows} == {""}
    assert {r.charge_category for r in export.rows} == {"Usage"}
    assert (export.details, export.totals) == ((), ())
    assert export.periods[0].billing_period_status == "Open"
    assert case.export(OCTOBER).periods[0].billing_period_status == "Closed"


def test_emulated_use_is_left_out_and_counted(tmp_path):
    case = Case(tmp_path)
    export = case.export(DECEMBER)
    # A thousand million tokens were emulated.
    assert export.emulated == 1
    assert sum(r.consumed_quantity or 0 for r in export.rows if "tokens" in r.sku_meter) < 10**8


def test_one_tenant_sees_nothing_of_others(tmp_path):
    case = Case(tmp_path)
    export = case.export(NOVEMBER, "rhein")
    assert {r.billing_account_id for r in export.rows} == {"rhein"}
    assert {t.invoice_id for t in export.totals} == {"ONE-000005"}
    assert all("acme" not in c.contract_id for c in export.commitments)
    whole = case.export(NOVEMBER)
    assert export.rows == tuple(r for r in whole.rows if r.billing_account_id == "rhein")


def test_a_closed_month_stays_as_it_was_when_the_file_changes(tmp_path):
    case = Case(tmp_path)
    before = case.export(OCTOBER)
    text = case.file.read_text()
    text = text.replace("input: 0.26", "input: 9").replace("price: 2.1", "price: 7")
    case.file.write_text(text.replace("h100-sxm, price: 3.2", "h100-sxm, price: 99"))
    assert case.export(OCTOBER) == before
