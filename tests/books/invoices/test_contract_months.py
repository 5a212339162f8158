"""Contracts worked out by hand, month by month."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.books.contracts import disjoint, held_time
from neocloud.ledger import EnergyEvent, Status

from .shop import Memory, Shop, at, cloud, held, previewed, usage

TERM = "tenant: acme, start: 2026-07-01, term_months: 12"
HALF = f"  - {{name: half, {TERM}, accelerators: 10, price: 2, take_or_pay: 0.5, MORE}}"


def charged(made):
    """(charge, quantity, amount) of what is not use."""
    return [(str(c.charge), c.quantity, str(c.amount)) for c in made.lines if c.charge]


def spans(**used):
    """So many accelerator-hours of the contract `half` in each month."""
    months = {"july": "2026-07-01", "august": "2026-08-01", "september": "2026-09-01",
              "october": "2026-10-01"}  # fmt: skip
    return [held(months[m], hours / 10, 10, "contract/half") for m, hours in used.items()]


USED = {"july": 3000, "august": 4000, "september": 3700, "october": 3920}


def test_take_or_pay_with_carry_over_over_three_months(tmp_path):
    """July holds 744 h of 10, half of it is paid: 3,720 hours; 3,000 used, 720 are carried over.

    August uses 280 of them, September 100; what is left of July's ends with September.
    """
    contract = HALF.replace("MORE", "carry_over_months: 2")
    shop = Shop(tmp_path, cloud(contracts=contract), Memory(spans=spans(**USED)))
    july, august, september, october = (shop.close(f"2026-{m:02d}") for m in (7, 8, 9, 10))
    assert charged(july) == [("shortfall", Decimal(720), "1440.00")]
    assert july.subtotal == 3720 * 2
    assert charged(august) == [("carried_over", Decimal(-280), "-560.00")]
    assert august.subtotal == 3720 * 2
    assert charged(september) == [("carried_over", Decimal(-100), "-200.00")]
    assert september.subtotal == 3600 * 2
    assert charged(october) == []
    assert october.subtotal == 3920 * 2
    left = [made.contracts[0].carried_out // (3600 * 10**9) for made in (july, august, september)]
    assert left == [720, 440, 0]


def test_use_evens_out_over_a_quarter_before_a_shortfall_is_charged(tmp_path):
    """Committed are 3,720 + 3,720 + 3,600 hours, used 10,700: 340 are charged at its end."""
    contract = HALF.replace("MORE", "true_up_months: 3")
    shop = Shop(tmp_path, cloud(contracts=contract), Memory(spans=spans(**USED)))
    made = [shop.close(f"2026-{m:02d}") for m in (7, 8, 9)]
    assert [charged(m) for m in made] == [[], [], [("shortfall", Decimal(340), "680.00")]]
    assert [m.subtotal for m in made] == [6000, 8000, 8080]


def test_hours_that_become_known_late_are_used_up_in_the_month_that_paid_for_them(tmp_path):
    """July's late 500 hours are charged in August, and its shortfall falls by as much."""
    contract = HALF.replace("MORE", "carry_over_months: 2")
    source = Memory(spans=spans(july=3000, august=3720))
    shop = Shop(tmp_path, cloud(contracts=contract), source)
    shop.close("2026-07")
    source.spans.append(held("2026-07-20", 50, 10, "contract/half"))
    august = shop.close("2026-08")
    corrections = [
        (c.month, c.text, str(c.amount)) for c in august.lines if c.group == "corrections"
    ]
    assert corrections == [
        ("2026-07", "h100-sxm accelerator-hours, contract half", "1000.00"),
        ("2026-07", "half, committed, beyond metered use", "-1000.00"),
    ]
    assert august.subtotal == 3720 * 2


def test_leap_years_month_ends_and_price_steps():
    whole = "accelerators: 1, price: 1, take_or_pay: 1"
    leap = f"  - {{name: one, tenant: acme, start: 2027-01-31, term_months: 13, {whole}}}"
    hours = {}
    for month in ("2027-01", "2027-02", "2027-03", "2028-02", "2028-03"):
        made = previewed(cloud(contracts=leap), Memory(), month)
        hours[month] = [quantity for _, quantity, _ in charged(made)]
    # The term ends on 29 February 2028, the last day of the month that has no 31st.
    assert hours == {"2027-01": [24], "2027-02": [672], "2027-03": [744], "2028-02": [28 * 24],
                     "2028-03": []}  # fmt: skip
    year = f"  - {{name: one, tenant: acme, start: 2028-01-01, term_months: 12, {whole}, STEP}}"
    step = year.replace("STEP", "price_steps: [{date: 2028-02-29, price: 3}]")
    made = previewed(cloud(contracts=step), Memory(), "2028-02")
    assert charged(made) == [
        ("shortfall", Decimal(24), "72.00"), ("shortfall", Decimal(672), "672.00"),
    ]  # fmt: skip


def test_a_held_rate_of_tokens_is_paid_used_or_not_and_more_goes_to_the_price_list():
    """100 tokens/s are 360,000 an hour; the contract is in euros, at 1.25 dollars each."""
    contract = (
        f"  - {{name: rate, {TERM}, kind: provisioned, model: llama, tokens_per_s: 100, "
        "price: 0.2, currency: EUR}"
    )
    source = Memory([
        usage("2026-10-05T10:00:00Z", 1, input_tokens=200_000),
        usage("2026-10-05T10:59:59Z", 2, input_tokens=200_000),
        usage("2026-10-05T11:00:00Z", 3, input_tokens=10_000),
    ])  # fmt: skip
    made = previewed(cloud(contracts=contract), source, "2026-10")
    used = [(line.contract, line.quantity) for line in made.lines if line.meter]
    assert used == [("", 40_000), ("rate", 370_000)]
    held_tokens = 100 * 744 * 3600
    assert charged(made) == [
        ("shortfall", Decimal(held_tokens - 370_000), str(round(
            (Decimal(held_tokens) - 370_000) / 10**6 * Decimal("0.2") * Decimal("1.25"), 2)))
    ]  # fmt: skip
    # Together: the whole rate at its price, and 40,000 tokens at the list's 0.26.
    exact = Decimal(held_tokens) / 10**6 * Decimal("0.25") + Decimal("0.0104")
    assert made.subtotal - made.residue == exact


def test_tokens_of_a_dedicated_model_cost_nothing_beside_its_accelerators():
    contract = (
        f"  - {{name: own, {TERM}, kind: dedicated, model: llama, accelerators: 2, price: 3}}"
    )
    made = previewed(cloud(contracts=contract), Memory([usage("2026-10-05")]), "2026-10")
    assert [(line.quantity, line.amount) for line in made.lines] == [
        (1_000_000, 0), (2 * 744, 2 * 744 * 3),
    ]  # fmt: skip


TRANCHE = f"  - {{name: rest, {TERM}, kind: last_resort, accelerators: 8, price: 1}}"


def test_a_tranche_of_last_resort_is_what_others_leave():
    """16 accelerators stand there; rhein takes 12 of them for ten hours, so 4 of 8 are left."""
    sold = held("2026-10-05", 10, 12, "x", tenant="rhein")
    again = [
        held("2026-10-05", 5, 12, "x", tenant="rhein"),
        held("2026-10-05T05:00:00Z", 5, 12, "x", tenant="rhein"),
    ]
    idle = held("2026-10-07", 10, 16, "idle", tenant="", purpose="idle")
    shared = held("2026-10-09", 10, 10, "llama/0", tenant="", purpose="inference")
    for others in ([sold], [sold, idle], again, [*again, sold]):
        made = previewed(cloud(contracts=TRANCHE), Memory(spans=others), "2026-10")
        assert charged(made) == [("last_resort", Decimal(8 * 744 - 40), "5912.00")]
    made = previewed(cloud(contracts=TRANCHE), Memory(spans=[sold, shared]), "2026-10")
    assert charged(made) == [("last_resort", Decimal(8 * 744 - 60), "5892.00")]
    reserved = TRANCHE + (
        "\n  - {name: theirs, tenant: rhein, accelerators: 14, price: 2, start: 2026-10-11, "
        "term_months: 3}"
    )
    made = previewed(cloud(contracts=reserved), Memory(), "2026-10")
    assert charged(made) == [("last_resort", Decimal(240 * 8 + 504 * 2), "2928.00")]


def test_what_the_buyer_of_last_resort_uses_is_charged_once():
    used = held("2026-10-05", 100, 8, "contract/rest")
    made = previewed(cloud(contracts=TRANCHE), Memory(spans=[used]), "2026-10")
    assert [line.quantity for line in made.lines] == [800, 8 * 744 - 800]
    assert made.subtotal == 8 * 744


def test_a_missed_service_level_gives_back_a_share_of_the_months_charges():
    contract = (
        f"  - {{name: rate, {TERM}, kind: provisioned, model: llama, tokens_per_s: 100, price: 1, "
        "service_level: {availability: [{below: 0.99, credit_share: 0.1}, "
        "{below: 0.9, credit_share: 0.25}], ttft_ms: 200, tpot_ms: 50, "
        "latency: [{below: 0.95, credit_share: 0.05}]}}"
    )
    known = cloud(contracts=contract)
    whole = Decimal(100 * 744 * 3600) / 10**6

    def given_back(*events):
        made = previewed(known, Memory(events), "2026-10")
        (stands,) = made.contracts
        back = [c.exact for c in made.lines if c.charge == "service_credit"]
        return back, stands.availability, stands.latency

    def of(number, **changes):
        return usage("2026-10-05", number, input_tokens=10, **changes)

    good = [of(n) for n in range(9)]
    failed = of(90, status=Status.FAILED)
    gone = of(91, status=Status.ABORTED)
    slow = of(92, first_token_ns=at("2026-10-05") + 10**9)
    assert given_back(*good) == ([], 1, 1)
    assert given_back() == ([], None, None)
    # Nine of ten: below 0.99, not below 0.9. Who leaves by itself does not count.
    assert given_back(*good, failed, gone) == ([-whole / 10], Decimal("0.9"), 1)
    assert given_back(good[0], failed) == ([-whole / 4], Decimal("0.5"), 1)
    assert given_back(*good, slow) == ([-whole / 20], 1, Decimal("0.9"))
    assert given_back(good[0], failed, slow)[0] == [-whole * Decimal("0.3")]


def test_hours_that_were_not_delivered_give_back_their_share_and_a_minimum_does_not_take_it(
    tmp_path,
):
    contract = HALF.replace("MORE", (
        "service_level: {availability: [{below: 0.9, credit_share: 0.2}]}"))  # fmt: skip
    known = cloud(contracts=contract, acme="minimum_spend_per_month: 7440")
    made = previewed(known, Memory(spans=spans(july=3720)), "2026-07")
    assert made.contracts[0].availability == Decimal("0.5")
    assert charged(made) == [("service_credit", None, "-1488.00")]


def test_a_prepayment_is_charged_once_and_pays_evenly_over_the_term(tmp_path):
    """1,200 over the 365 days from July on: 31 of them in July, at most what the month costs."""
    contract = (
        f"  - {{name: paid, {TERM}, accelerators: 1, price: 2, "
        "prepayments: [{date: 2026-06-20, amount: 1200}]}"
    )
    shop = Shop(tmp_path, cloud(contracts=contract), Memory(spans=[held("2026-06-01", 1, 1)]))
    june, july, august = (shop.close(f"2026-{m:02d}") for m in (6, 7, 8))
    assert charged(june) == [("prepayment", None, "1200.00")]
    share = Decimal(1200) * 31 / 365
    for made in (july, august):
        assert charged(made)[0] == ("shortfall", Decimal(744), "1488.00")
        assert charged(made)[1] == ("release", None, str(-round(share, 2)))
    month = Decimal(12 * 2 * 24) / 100
    assert month > 0
    half = contract.replace("amount: 1200", "share: 0.5")
    made = previewed(cloud(contracts=half), Memory(), "2026-06")
    assert charged(made) == [("prepayment", None, f"{365 * 24}.00")]


def test_pipeline_charges_nothing():
    contract = HALF.replace("MORE", "probability: 0.5")
    assert previewed(cloud(contracts=contract), Memory(), "2026-10").lines == ()


def test_energy_is_divided_by_tokens_and_its_emissions_are_told_by_both_methods():
    power = "[{kind: ppa, source: wind, capacity_mw: 0.001, price_per_mwh: 40, availability: 1}, "
    known = cloud(**{"power: [": f"power: {power}"})
    hour = {"start_ns": at("2026-10-05"), "end_ns": at("2026-10-05T10:00:00Z"), "site": "ashburn",
            "pool": "h100-sxm", "holder": "r", "modelled": True, "emulated": False}  # fmt: skip
    energy = [
        EnergyEvent(event_id="r@1", model="llama", kwh=800.0, **hour),  # type: ignore[arg-type]
        EnergyEvent(event_id="i@1", model="", kwh=700.0, purpose="idle", **hour),  # type: ignore[arg-type]
        EnergyEvent(event_id="c@1", model="", kwh=100.0, tenant="acme", **hour),  # type: ignore[arg-type]
    ]
    source = Memory(
        [usage("2026-10-05", 1), usage("2026-10-05", 2, tenant="rhein", input_tokens=3_000_000)],
        energy=energy,
    )
    made = previewed(known, source, "2026-10")
    assert made.carbon is not None
    # A quarter of the shared 800, and its own 100; of the site's 1,600 the wind gives 744.
    assert (made.carbon.kwh, made.carbon.metered_share) == (300, 0)
    grid = float(made.carbon.location_kg) / 300
    assert float(made.carbon.market_kg) == (744 * 0.011 + 856 * grid) / 1600 * 300 or abs(
        float(made.carbon.market_kg) - (744 * 0.011 + 856 * grid) / 1600 * 300
    ) < 1e-3 * float(made.carbon.market_kg)
    assert grid > 0.1
    assert previewed(known, Memory([usage("2026-10-05")]), "2026-10").carbon is None


steps = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 20), st.integers(1, 9)).map(
        lambda t: (t[0], t[0] + t[1], t[2])
    ),
    max_size=8,
)


@given(steps, st.randoms())
@settings(deadline=None)
def test_overlapping_spans_count_by_the_largest_and_order_changes_nothing(spans_, rng):
    found = disjoint(spans_)
    for moment in range(61):
        most = max((c for a, b, c in spans_ if a <= moment < b), default=0)
        assert sum(c for a, b, c in found if a <= moment < b) == most
    mixed = [*spans_, *spans_]
    rng.shuffle(mixed)
    assert disjoint(mixed) == found
    assert held_time(found, 0, 61) == sum(c * (b - a) for a, b, c in found)
