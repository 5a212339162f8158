"""From revenue at list prices to the invoices: each cause alone by hand, and sums for any month."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from neocloud.books.gather import gather
from neocloud.books.invoices import Office, credit_invoice
from neocloud.books.tiers import Documents, TierReport, billed, documents_of, make_tiers
from neocloud.books.tiers.invoiced import (
    ABSENT,
    ADJUSTMENTS,
    CORRECTIONS,
    DIFFERENCES,
    HOURLY,
    LAST_RESORT,
    LATER,
    MINIMUM,
    ON_DEMAND,
    PREPAID,
    PRICES,
    PROVISIONED,
    ROUNDING,
    SERVICE,
    TAKEN_BACK,
)
from neocloud.ledger import Status
from neocloud.spec import Cloud
from neocloud.units import parse_period

from ..invoices.shop import CATALOG, Memory, Shop, at, cloud, held, usage  # noqa: TID252

MONTH = "2027-02"
TERM = "tenant: acme, start: 2027-02-01, term_months: 12"


def documents(office: Office, period: str = MONTH) -> Documents:
    span = parse_period(period)
    return documents_of(office, gather(office.source, office.cloud, CATALOG, span), span.end_ns)


def report(office: Office, period: str = MONTH) -> TierReport:
    span = parse_period(period)
    metered = gather(office.source, office.cloud, CATALOG, span)
    sold = billed(metered.events, office.cloud.pricing.billed)
    made = documents(office, period)
    return make_tiers(office.cloud, CATALOG, metered.rows, sold, span, ("tenant",), made)


def before_books(cloud_: Cloud, source: Memory) -> Office:
    return Office(cloud=cloud_, catalog=CATALOG, source=source, books=None)


def differences(found: TierReport) -> dict[str, Decimal]:
    """By cause; the sums are held to on the way."""
    i = found.invoiced
    assert i is not None
    assert i.tiers == found.tiers[-1].revenue
    assert i.tiers + sum(each.amount for each in i.differences) == i.invoiced
    assert i.invoiced == sum(document.revenue for document in i.documents)
    assert i.margin == i.invoiced - found.tiers[-1].cost_so_far
    return {each.cause: each.amount for each in i.differences}


def between(cloud_: Cloud, *things: object, period: str = MONTH) -> dict[str, Decimal]:
    """What separates the tiers from the documents."""
    events = [t for t in things if hasattr(t, "request_id")]
    spans = [t for t in things if hasattr(t, "holder")]
    return differences(report(before_books(cloud_, Memory(events, spans)), period))


def mtok(count: int, day: int = 3, **changes: object):
    """A request of so many million prompt tokens."""
    return usage(f"2027-02-{day:02}T12:00:00Z", count, input_tokens=count * 10**6, **changes)


def test_at_list_prices_nothing_separates_them():
    """3 million at 0.26 are 0.78, which is whole cents."""
    assert between(cloud(), mtok(3)) == {}


def test_a_tier_of_prices():
    """Of 3 million tokens the first at 1.00 and two at 0.40: 1.20 less than the list's 3.00."""
    prices = "{input: 1, output: 1, tiers: [{above_mtok: 1, input: 0.4, output: 0.4}]}"
    assert between(cloud(prices=prices), mtok(3)) == {PRICES: Decimal("-1.20")}


def test_a_discount():
    """40 % off after 22 o'clock: of 0.52 for two million 0.208, and 0.002 to the cent."""
    off = {"pricing:\n": "pricing:\n  adjustments: [{name: off, change: -0.4, hours_utc: 22-6}]\n"}
    late = usage("2027-02-03T23:00:00Z", input_tokens=2_000_000)
    assert between(cloud(**off), late) == {
        ADJUSTMENTS: Decimal("-0.208"),
        ROUNDING: Decimal("-0.002"),
    }


def test_rounding_to_the_cent_and_into_another_currency():
    """Rhein's million at 0.26 USD are 0.208 EUR, 0.21 on the invoice, which are 0.2625 USD."""
    assert between(cloud(), mtok(1, tenant="rhein")) == {ROUNDING: Decimal("0.0025")}


def test_accelerators_held_without_a_contract():
    """10 hours at 3.20, which no list price of the tiers knows."""
    assert between(cloud(), held("2027-02-03", 5, 2)) == {ON_DEMAND: Decimal(32)}


def test_a_contract_by_the_hour_is_settled_as_the_tiers_have_it():
    """8 accelerators for 672 hours, of which 2,000 were used and 60 % (3,225.6) are paid."""
    contracts = f"  - {{name: big, {TERM}, accelerators: 8, price: 2, take_or_pay: 0.6}}"
    span = held("2027-02-01", 250, 8, "contract/big")
    assert between(cloud(contracts=contracts), span) == {}
    found = report(before_books(cloud(contracts=contracts), Memory(spans=[span])))
    assert found.tiers[-1].revenue == Decimal("6451.20")


def test_what_evens_out_over_months_separates_a_month():
    """In the first of two months of true-up nothing is short yet; the tiers expect the month's."""
    contracts = (
        f"  - {{name: big, {TERM}, accelerators: 8, price: 2, take_or_pay: 0.5, true_up_months: 2}}"
    )
    span = held("2027-02-01", 100, 8, "contract/big")
    found = between(cloud(contracts=contracts), span)
    assert found == {HOURLY: Decimal(2 * (800 - 8 * 672 // 2))}


def test_provisioned_throughput_earns_its_commitment_and_not_the_list():
    """100 tokens/s for 28 days are 241.92 million at 0.20; 3 million of them at the list's 0.26."""
    contracts = (
        f"  - {{name: rate, {TERM}, kind: provisioned, model: llama, tokens_per_s: 100, "
        "price: 0.2}"
    )
    found = between(cloud(contracts=contracts), mtok(3))
    whole = Decimal("241.92") * Decimal("0.2")
    # What exceeds the rate within its hour stays at list price; the commitment is paid whole.
    covered = Decimal("0.36")  # 100 tokens/s for the hour in which they came
    assert found[PROVISIONED] == whole - covered * Decimal("0.26")
    assert set(found) <= {PROVISIONED, ROUNDING}


def test_a_tranche_of_last_resort():
    contracts = f"  - {{name: rest, {TERM}, kind: last_resort, accelerators: 8, price: 1}}"
    sold = held("2027-02-01", 10, 4, tenant="rhein")
    found = between(cloud(contracts=contracts), sold)
    # 16 accelerators stand there, of which 4 were sold for 10 hours: 8 are left all month.
    assert found == {LAST_RESORT: Decimal(8 * 672), ON_DEMAND: Decimal("128.00")}


def test_a_prepayment_and_what_it_pays_of_the_month():
    """1,200 are paid ahead; of the 365 days that they pay for 28 are in February."""
    contracts = (
        f"  - {{name: paid, {TERM}, accelerators: 1, price: 2, "
        "prepayments: [{date: 2027-02-01, amount: 1200}]}"
    )
    found = between(cloud(contracts=contracts), mtok(3))
    assert float(found[PREPAID]) == pytest.approx(1200 - 1200 * 28 / 365)
    assert set(found) <= {PREPAID, ROUNDING}
    assert abs(found.get(ROUNDING, Decimal(0))) <= Decimal("0.01")


def test_what_is_given_back_for_a_missed_level():
    """8 accelerators for 672 hours at 2 are 10,752; a tenth is given back: half were down."""
    contracts = (
        f"  - {{name: big, {TERM}, accelerators: 8, price: 2, "
        "service_level: {availability: [{below: 0.9, credit_share: 0.1}]}}"
    )
    spans = (
        held("2027-02-01", 336, 8, "contract/big"),
        held("2027-02-15", 336, 8, "contract/big", purpose="down"),
    )
    found = between(cloud(contracts=contracts), *spans)
    assert found[SERVICE] == Decimal("-1075.20")
    assert set(found) == {SERVICE}


def test_a_minimum_spend_and_credits_that_are_no_difference():
    known = cloud("minimum_spend_per_month: 100, prepaid_credits: [{name: gift, amount: 30, "
                  "date: 2027-01-01, kind: given}]")  # fmt: skip
    found = report(before_books(known, Memory([mtok(3)])))
    assert differences(found) == {MINIMUM: Decimal("99.22")}
    (document,) = found.invoiced.documents
    assert (document.subtotal, document.credits_used) == (Decimal(100), Decimal(30))
    assert document.total == Decimal(70)


def test_what_came_after_closing_stands_on_no_document_and_then_is_a_correction(tmp_path):
    source = Memory([mtok(3)])
    shop = Shop(tmp_path, cloud(), source)
    shop.close(MONTH)
    source.events.append(mtok(2))
    found = report(shop.office)
    assert differences(found) == {ABSENT: Decimal("-0.52")}
    (document,) = found.invoiced.documents
    assert document.kind == "invoice"
    assert document.number.startswith("SHOP-")
    source.events.append(usage("2027-03-02"))
    assert differences(report(shop.office, "2027-03")) == {CORRECTIONS: Decimal("0.52")}
    # Once an invoice holds it, it is billed; what came later still waits.
    shop.close("2027-03")
    assert differences(report(shop.office)) == {LATER: Decimal("-0.52")}
    source.events.append(mtok(1, day=4))
    assert differences(report(shop.office)) == {LATER: Decimal("-0.52"), ABSENT: Decimal("-0.26")}
    # Both months together: what one invoice lacks the other has.
    both = differences(report(shop.office, "2027-02-01/2027-04-01"))
    assert both == {
        LATER: Decimal("-0.52"),
        CORRECTIONS: Decimal("0.52"),
        ABSENT: Decimal("-0.26"),
    }


def test_what_a_later_invoice_gives_back_is_billed_later_too(tmp_path):
    """Of 3 million tokens 2 are corrected away after closing, and March's invoice says so."""
    event = mtok(3)
    source = Memory([event, usage("2027-03-02")])
    shop = Shop(tmp_path, cloud(), source)
    shop.close(MONTH)
    source.events[0] = structs.replace(event, input_tokens=1_000_000)
    assert differences(report(shop.office)) == {ABSENT: Decimal("0.52")}
    shop.close("2027-03")
    assert differences(report(shop.office)) == {LATER: Decimal("0.52")}


@pytest.mark.parametrize("again", [True, False])
def test_what_a_credit_note_takes_back_is_no_revenue(tmp_path, again):
    """The note counts with the month of its invoice, to the cent: 0.26 USD are 0.21 EUR, 0.2625."""
    source = Memory([mtok(1, tenant="rhein"), mtok(3)])
    shop = Shop(tmp_path, cloud(), source)
    shop.close(MONTH)
    number = shop.close(MONTH, "rhein").number
    assert differences(report(shop.office)) == {ROUNDING: Decimal("0.0025")}
    credit_invoice(shop.books, number, "wrong", at("2027-03-20"), bill_again=again)
    taken = {ROUNDING: Decimal("0.0025"), TAKEN_BACK: Decimal("-0.2625")}
    found = report(shop.office)
    assert differences(found) == taken
    assert found.invoiced.invoiced == Decimal("0.78")
    assert [(d.tenant, d.kind, d.revenue) for d in found.invoiced.documents] == [
        ("acme", "invoice", Decimal("0.78")),
        ("rhein", "invoice", Decimal("0.2625")),
        ("rhein", "credit_note", Decimal("-0.2625")),
    ]
    # That it is charged again is told in the month that charges it, not as use that came late.
    source.events += [
        usage("2027-03-02", tenant="rhein"),
        mtok(2, tenant="rhein"),
    ]
    shop.close("2027-03", "rhein")
    assert differences(report(shop.office)) == {**taken, LATER: Decimal("-0.52")}
    march = differences(report(shop.office, "2027-03"))
    assert march[CORRECTIONS] == Decimal("0.78" if again else "0.52")


def test_corrections_that_are_taken_back_with_their_invoice_and_charged_again(tmp_path):
    """April's invoice charges them again; as late use of February they count once."""
    source = Memory([mtok(3), usage("2027-03-02")])
    shop = Shop(tmp_path, cloud(), source)
    shop.close(MONTH)
    source.events.append(mtok(2))
    number = shop.close("2027-03").number
    late = {LATER: Decimal("-0.52")}
    assert differences(report(shop.office)) == late
    credit_invoice(shop.books, number, "wrong", at("2027-04-20"), bill_again=True)
    # Taken back, it waits for the next invoice.
    assert differences(report(shop.office)) == {ABSENT: Decimal("-0.52")}
    assert differences(report(shop.office, "2027-03")) == {
        CORRECTIONS: Decimal("0.52"),
        TAKEN_BACK: Decimal("-0.78"),
    }
    source.events.append(usage("2027-04-02"))
    shop.close("2027-04")
    assert differences(report(shop.office)) == late


def test_real_use_that_comes_late_to_a_month_of_emulated_use_is_billed_once(tmp_path):
    """Nothing closes that month any more; a later invoice charges what came."""
    emulated = usage("2027-03-02", emulated=True, engine="emulated", input_tokens=0)
    source = Memory([mtok(3), emulated, usage("2027-04-02")])
    shop = Shop(tmp_path, cloud(), source)
    shop.close(MONTH)
    shop.close("2027-04")
    source.events += [usage("2027-03-05", 1), usage("2027-05-05", 1)]
    assert differences(report(shop.office, "2027-03")) == {ABSENT: Decimal("-0.26")}
    shop.close("2027-05")
    assert differences(report(shop.office, "2027-03")) == {LATER: Decimal("-0.26")}
    found = report(shop.office, "2027-03-01/2027-06-01")
    assert found.invoiced.invoiced == Decimal("0.78")
    assert differences(found) == {LATER: Decimal("-0.26"), CORRECTIONS: Decimal("0.26")}


def test_a_part_of_a_month_is_the_use_alone_whatever_was_taken_back(tmp_path):
    shop = Shop(tmp_path, cloud(), Memory([mtok(3)]))
    number = shop.close(MONTH).number
    credit_invoice(shop.books, number, "wrong", at("2027-03-20"), bill_again=False)
    assert differences(report(shop.office, "2027-02-01/2027-02-15")) == {}


def test_several_months_have_a_document_each_and_a_part_of_one_the_use_alone():
    known = cloud("minimum_spend_per_month: 100")
    source = Memory([mtok(3), usage("2027-03-02", 7)])
    found = report(before_books(known, source), "2027-02-01/2027-03-15")
    periods = [d.period for d in found.invoiced.documents]
    assert periods == [str(parse_period(MONTH)), str(parse_period("2027-03-01/2027-03-15"))]
    assert differences(found) == {MINIMUM: Decimal("99.22")}


def test_only_statuses_that_the_file_bills_are_sold():
    of_all = {"pricing:\n": "pricing:\n  billed: [completed, failed]\n"}
    failed = mtok(3, status=Status.FAILED)
    assert between(cloud(**of_all), failed) == {}
    found = report(before_books(cloud(**of_all), Memory([failed])))
    assert found.tiers[-1].revenue == Decimal("0.78")
    aborted = report(before_books(cloud(**of_all), Memory([mtok(3, status=Status.ABORTED)])))
    assert aborted.tiers[-1].revenue == 0


def test_emulated_use_beside_real_stands_on_no_document():
    found = between(cloud(), mtok(3), mtok(2, emulated=True, engine="emulated"))
    assert found == {ABSENT: Decimal("-0.52")}


def test_what_has_no_price_is_told_and_the_rest_is_made():
    known = cloud(**{"pricing:\n  accelerator_hours: [{accelerator: h100-sxm, price: 3.2}]\n": ""})
    source = Memory([mtok(3, tenant="rhein")], [held("2027-02-03", 5, 2)])
    found = documents(before_books(known, source))
    assert [d.tenant for d in found.made] == ["rhein"]
    (missing,) = found.missing
    assert "no invoice of acme for 2027-02" in missing
    assert "pricing.accelerator_hours" in missing


TIERED = "{input: 0.3, cached_input: 0.1, output: 0.9, tiers: [{above_mtok: 2, input: 0.2, "
TIERED += "cached_input: 0.05, output: 0.5}]}"
CONTRACTS = (
    f"  - {{name: big, {TERM}, accelerators: 2, price: 2, take_or_pay: 0.6, true_up_months: 3}}\n"
    f"  - {{name: rate, {TERM.replace('acme', 'rhein')}, kind: provisioned, model: llama, "
    "tokens_per_s: 5, price: 0.4, currency: EUR}\n"
    f"  - {{name: rest, {TERM.replace('acme', 'kyoto')}, kind: last_resort, accelerators: 4, "
    "price: 1}"
)
OFF = {"pricing:\n": "pricing:\n  adjustments: [{name: off, change: -0.3, hours_utc: 22-6}]\n"}
tenants = st.sampled_from(["acme", "rhein", "kyoto"])
events = st.lists(
    st.tuples(
        st.integers(1, 28), st.integers(0, 23), tenants, st.integers(0, 3_000_000),
        st.integers(0, 10**6), st.integers(0, 10**6),
        st.sampled_from([Status.COMPLETED, Status.ABORTED, Status.FAILED]),
    ),
    max_size=8,
)  # fmt: skip
spans = st.lists(
    st.tuples(
        st.integers(1, 20), st.integers(1, 300), st.integers(1, 4), tenants,
        st.sampled_from(["", "contract/big"]),
    ),
    max_size=3,
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(events, spans)
def test_the_differences_add_up_whatever_was_used_and_nothing_is_absent(used, taken):
    known = cloud("minimum_spend_per_month: 5", TIERED, CONTRACTS, **OFF)
    source = Memory(
        [
            usage(
                f"2027-02-{day:02}T{hour:02}:30:00Z", number, tenant=tenant,
                input_tokens=read + cached, cached_tokens=cached, output_tokens=written,
                status=status,
            )
            for number, (day, hour, tenant, read, cached, written, status) in enumerate(used)
        ],
        [
            held(f"2027-02-{day:02}", hours, count, name or f"own/{number}", tenant=tenant)
            for number, (day, hours, count, tenant, name) in enumerate(taken)
            if not name or tenant == "acme"
        ],
    )  # fmt: skip
    found = report(before_books(known, source))
    added = differences(found)
    assert set(added) <= set(DIFFERENCES)
    assert abs(added.get(ABSENT, Decimal(0))) <= Decimal("1e-12")
    assert not {PREPAID, SERVICE, CORRECTIONS} & set(added)
    # A month is the sum of its days, whatever they are told apart by.
    daily = make_tiers(
        known, CATALOG, gather(source, known, CATALOG, parse_period(MONTH)).rows,
        billed(source.events, known.pricing.billed), parse_period(MONTH), ("day", "tenant"),
    )  # fmt: skip
    assert sum(g.cost for g in daily.groups) == found.tiers[-1].cost_so_far
    assert sum(g.revenue for g in daily.groups) == found.tiers[-1].revenue
