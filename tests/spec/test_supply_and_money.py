"""Mistakes in power, pools, accelerators, traces, contracts and debt: each with its place.

The mark § in a case stands where the mistake must be told; it is no part of the file.
"""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.catalog import load_catalog
from neocloud.spec import SpecError
from neocloud.spec.horizon import months_after
from neocloud.spec.traces import TraceFileError, read_trace_file

from .texts import RIGHT, problems, read

CATALOG = load_catalog()
METRO = "    metro: washington\n"
POOL = "      - {accelerator: h100-sxm, nodes: 2}\n"
AT_POOL = POOL.replace("h100", "§h100")
RATE = "    requests_per_s: 5\n"
PRICES = "    price_per_mtok: {input: 0.10, output: 0.20}\n"

LADDER = METRO + "    power_ladder: [{}]\n"
POWER = METRO + "    power: [§{{{}}}]\n"
CHIP = RATE + "accelerators:\n  own: {{like: h100-sxm, {}}}\n"
SOLD = (
    RATE
    + """\
contracts:
  - {{name: a, tenant: acme, accelerators: 8, start: 2026-01-01, term_months: 60, price: 3,
     {}}}
"""
)
DEBT = (
    RATE
    + """\
finance:
  assets: [{{name: nodes, kind: accelerators, price: 900000, in_service: 2026-01-01}}]
  debt:
    - {{name: loan, kind: term_loan, margin: 0.06, start: 2026-01-01, maturity: 2031-01-01,
       {}}}
"""
)
ASSET = (
    RATE
    + """\
finance:
  assets:
    - {{name: nodes, kind: accelerators, price: 900000, in_service: 2026-01-01{}}}
"""
)
BARE = SOLD.replace("- {{", "- §{{")
LATE = DEBT.replace("maturity: ", "maturity: §")
EARLY = ASSET.replace("in_service: ", "in_service: §")


def ladder(text: str) -> tuple[str, str]:
    return METRO, LADDER.format(text)


def power(text: str) -> tuple[str, str]:
    filled = POWER.format(text)
    return METRO, filled.replace("§", "", 1) if text.count("§") else filled


def pool(text: str) -> tuple[str, str]:
    return POOL, POOL.replace("2", text)


def chip(text: str) -> tuple[str, str]:
    return RATE, CHIP.format(text)


def sold(text: str) -> tuple[str, str]:
    return RATE, SOLD.format(text)


def debt(text: str) -> tuple[str, str]:
    return RATE, DEBT.format(text)


def asset(text: str) -> tuple[str, str]:
    return RATE, ASSET.format(text)


LENT = "commitment: 900000"

CASES: list[tuple[str, tuple[str, str], str]] = [
    # Units: megawatts, prices a MWh, gigabytes, shares, dense rates, prices a million tokens.
    ("E104", ladder("{date: 2026-01-31, active_mw: §12000}"), "Write megawatts, not kilowatts"),
    ("E104", power("usd_per_mwh: 80, capacity_mw: §12000"), "Write megawatts, not kilowatts"),
    ("E104", power("usd_per_mwh: §-1"), "usd_per_mwh -1 is below 0"),
    ("E104", power("usd_per_mwh: 80, take_or_pay: §80, capacity_mw: 1"), "write 0.8 for 80 %"),
    ("E104", power("usd_per_mwh: 80, availability: §24"), "write 0.8 for 80 %"),
    ("E104", power("usd_per_mwh: 80, carbon_g_per_kwh: §418000"), "Write grams per kWh"),
    ("E104", (RATE, "    requests_per_s: §-5\n"), "requests_per_s -5 is not above 0"),
    ("E104", chip("memory_gb: §80000000000"), "Write gigabytes: 80 for 80,000,000,000 bytes"),
    ("E104", chip("memory_gb_per_s: §3.35"), "Write gigabytes a second: 3350 for 3.35 TB/s"),
    ("E104", chip("bf16_tflops: §989e12"), "Write dense TFLOP/s"),
    ("E104", chip("tdp_w: §0.7"), "Write watts: 700 for 0.7 kW"),
    ("E104", (METRO, METRO + "    rack_kw: §130000\n"), "Write kilowatts: 130"),
    ("E104", (RATE, RATE + "finance: {cost_of_capital: §10}\n"), "write 0.8 for 80 %"),
    ("E104", (RATE, RATE + "network: {last_mile_ms: §10000}\n"), "Write milliseconds"),
    ("E104", sold("take_or_pay: §80"), "write 0.8 for 80 %"),
    ("E104", debt(f"{LENT}, floor: §3"), "A rate is a part of 1 a year: write 0.06 for 6 %"),
    ("E111", power("usd_per_mwh: §0.089"), "looks like a price per kWh. Write a price per MWh"),
    ("E111", power("price_per_mwh: §9000"), "9,000 USD, too much for energy"),
    ("E111", power("usd_per_mwh: 80, capacity_mw: §200"), "7,843 times what all nodes of the site"),
    ("E111", (PRICES, PRICES.replace("0.10", "§0.0001")), "0.0001 for a million tokens of input"),
    # Dates.
    ("E104", ladder("{date: §2026-31-01, active_mw: 1}"), "no day of the calendar. Write year"),
    ("E104", ladder("{date: §0226-01-31, active_mw: 1}"), "lies outside the years 1990 to 2100"),
    ("E107", ladder("{date: §31.01.2026, active_mw: 1}"), "date as 2026-01-31: year, month, day"),
    ("E107", ladder("{date: §01/02/2026, active_mw: 1}"), "date as 2026-01-31: year, month, day"),
    (
        "E112",
        ladder("{date: 2026-01-31, active_mw: 1}, §{date: 2026-01-30, active_mw: 2}"),
        "the step of 2026-01-30 does not follow that of 2026-01-31. Order steps",
    ),
    (
        "E112",
        power("usd_per_mwh: 9, start: 2026-02-01, end: §2026-01-01"),
        "ends on 2026-01-01, not after its start on 2026-02-01",
    ),
    # Power.
    (
        "E112",
        ladder("{date: 2026-01-31, active_mw: 12, contracted_mw: §10}"),
        "active_mw 12 is above contracted_mw 10. It must be active <= connected",
    ),
    ("E106", ladder("§{date: 2026-01-31}"), "has no active_mw. Add active_mw: number from 0"),
    ("E106", power("usd_per_mwh: 80, take_or_pay: §0.5"), "Add capacity_mw"),
    ("E107", power("usd_per_mwh: §.inf"), "usd_per_mwh is '.inf'"),
    ("E107", power("usd_per_mwh: 1, availability: §[1, 0.5]"), "Give 24, one for each local hour"),
    ("E108", power("usd_per_mwh: 1, kind: §ppaa"), "Did you mean ppa?"),
    ("E110", power("usd_per_mwh: 1, price_per_mwh: 1"), "2 prices for one contract"),
    ("E112", power("usd_per_mwh: 9, currency: §EUR"), "a price in USD, not in EUR"),
    ("E210", power("price_per_mwh: 9, currency: §GBP"), "no exchange rate from GBP (power of"),
    # Pools and accelerators.
    ("E106", pool("2, ownership: §leased"), "Add lease_usd_per_hour"),
    ("E112", pool("2, lease_usd_per_hour: §1.9"), "Write ownership: leased"),
    ("E112", pool("2, spare_nodes: §2"), "2 of 2 nodes are spare"),
    ("E112", pool("2, fabric_domain: §72"), "is above the 8 of h100-sxm"),
    ("E106", (RATE, RATE + "accelerators: {own: §{memory_gb: 96}}\n"), "Add like: the key of one"),
    ("E206", (RATE, CHIP.replace("h100-sxm", "§own").format("memory_gb: 9")), "no accelerator of"),
    (
        "E112",
        (RATE, CHIP.replace("{{", "§{{").format("node_power_w: 1275")),
        "node_power_w is of the whole node, tdp_w of one accelerator",
    ),
    (
        "E112",
        (f"{METRO}    pools:\n{POOL}", f"{METRO}    rack_kw: 8\n    pools:\n{AT_POOL}"),
        "a node of h100-sxm draws 10.2 kW, and a rack of the site may draw 8",
    ),
    (
        "E112",
        (
            f"{METRO}    pools:\n{POOL}",
            f"{METRO}    cooling: air\n    pools:\n{AT_POOL.replace('h100-sxm', 'gb200-nvl72')}",
        ),
        "gb200-nvl72 needs liquid, and the site cools by air",
    ),
    # Traces.
    ("E218", (RATE, "    trace: §gone.csv\n"), "gone.csv cannot be read: No such file"),
    ("E218", (RATE, RATE + "    lengths: §gone.jsonl\n"), "gone.jsonl cannot be read"),
    ("E107", (RATE, "    trace: §azure-conv\n"), "Expected: path of a trace: .csv or .jsonl"),
    # Contracts and debt.
    ("E219", (RATE, RATE + "rental: {providers: [aws, §lamda]}\n"), "Did you mean lambda?"),
    ("E202", (RATE, SOLD.replace("acme", "§acmee").format("model: llama")), "Did you mean acme?"),
    ("E106", (RATE, BARE.format("kind: dedicated")), "dedicated has no model. Add model"),
    (
        "E112",
        sold("price_steps: [§{date: 2040-01-01, price: 1}]"),
        "outside the term, 2026-01-01 to 2031-01-01",
    ),
    (
        "E112",
        sold("price_steps: [{date: 2028-01-01, price: 1}, §{date: 2027-01-01, price: 1}]"),
        "Order prices by their date",
    ),
    ("E110", sold("prepayments: [§{date: 2026-01-01}]"), "needs either share or amount"),
    ("E112", sold("prepayments: [§{date: 2031-01-01, share: 1}]"), "comes after the term"),
    (
        "E112",
        sold("prepayments: §[{date: 2026-01-01, share: 0.6}, {date: 2026-02-01, share: 0.6}]"),
        "prepayments are 1.2 of the contract's value",
    ),
    ("E104", sold("price_steps: [{date: 2027-01-01, price: §1.0000000000001}]"), "12 decimals"),
    ("E106", sold("service_level: {latency: §[{below: 0.9, credit_share: 1}]}"), "ttft_ms"),
    (
        "E112",
        sold(
            "service_level: {availability: [{below: 0.9, credit_share: 0.1}, "
            "§{below: 0.95, credit_share: 0.2}]}"
        ),
        "Order steps from the highest share down",
    ),
    ("E112", sold("termination: §{after_months: 61}"), "after_months 61 is above the term of 60"),
    ("E210", sold("currency: §CHF"), "no exchange rate from CHF (a) to USD"),
    ("E112", debt(f"{LENT}, available_until: §2025-01-01"), "before its start on 2026-01-01"),
    (
        "E112",
        (RATE, LATE.format(f"{LENT}, available_until: 2032-01-01")),
        "the maturity 2031-01-01 is not after 2032-01-01",
    ),
    (
        "E112",
        debt(f"{LENT}, draws: [§{{date: 2025-12-31, amount: 1}}]"),
        "it is drawn on 2025-12-31, but available from 2026-01-01",
    ),
    (
        "E112",
        debt(f"{LENT}, draws: §[{{date: 2026-01-01, amount: 900001}}]"),
        "draws of 900,001 are above the commitment of 900,000",
    ),
    (
        "E112",
        debt("commitment: §900001, collateral: [nodes]"),
        "a commitment of 900,001 USD is above its collateral's price, 900,000",
    ),
    (
        "E112",
        debt("commitment: §450001, collateral: [nodes], advance_rate: 0.5"),
        "above advance_rate 0.5 of its collateral's price, 450,000",
    ),
    ("E106", debt(f"{LENT}, advance_rate: §0.5"), "Add collateral"),
    ("E216", debt(f"{LENT}, contracts: [§a]"), "The file declares none"),
    ("E217", debt(f"{LENT}, collateral: [§node]"), "Did you mean nodes?"),
    ("E112", (RATE, EARLY.format(", ordered: 2026-02-01")), "before its order on 2026-02-01"),
    (
        "E112",
        asset(", payments: §[{months_before_service: 6, share: 0.3}]"),
        "the shares of the payments sum to 0.3",
    ),
    (
        "E214",
        asset("}\n    - §{name: nodes, kind: land, price: 1, in_service: 2026-01-01"),
        "there are two assets 'nodes'",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "change", "told"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)]
)
def test_a_mistake_is_told_where_it_stands(code: str, change: tuple[str, str], told: str) -> None:
    old, new = change
    assert RIGHT.count(old) == 1
    marked = RIGHT.replace(old, new)
    before, mark, after = marked.partition("§")
    assert mark, "the case says where"
    (found, *more) = problems(before + after)
    assert not more, more
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert (found.code, found.line, found.column) == (code, line, column), str(found)
    assert told in f"{found.message}. {found.remedy}"
    assert not found.message.endswith((".", "?"))
    assert found.remedy.endswith((".", "?"))


def test_a_broken_accelerator_makes_no_mistakes_elsewhere() -> None:
    text = RIGHT.replace("h100-sxm", "own") + "accelerators: {own: {like: h100-sxm, tdp_w: x}}\n"
    assert [problem.code for problem in problems(text)] == ["E107"]


def test_what_is_meant_can_be_said() -> None:
    """A large contract before few nodes is fine once the file says what of it is active."""
    steps = "power_ladder: [{date: 2026-01-01, active_mw: 0.05}]"
    large = METRO + "    power: [{usd_per_mwh: 80, capacity_mw: 200}]\n"
    assert [p.code for p in problems(RIGHT.replace(METRO, large))] == ["E111"]
    assert problems(RIGHT.replace(METRO, f"{large}    {steps}\n")) == ()


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2027, 12, 31), 2, date(2028, 2, 29)),
        (date(2026, 8, 31), 1, date(2026, 9, 30)),
        (date(2026, 11, 15), 14, date(2028, 1, 15)),
    ],
)
def test_months_end_where_the_month_does(day: date, months: int, then: date) -> None:
    assert months_after(day, months) == then


HEAD = "arrival_s,input_tokens,output_tokens\n"

WRONG_TRACES = [
    ("t.csv", b"", "t.csv has no requests"),
    ("t.csv", HEAD.encode(), "t.csv has no requests"),
    ("t.csv", b"a,b\n1,2\n", "t.csv has no input_tokens; its columns are a, b"),
    ("t.csv", (HEAD + "0,5,5\n1,x,5\n").encode(), "t.csv:3: input_tokens is 'x', expected a whole"),
    ("t.csv", (HEAD + "0,5,0\n").encode(), "t.csv:2: output_tokens is '0'"),
    ("t.csv", (HEAD + "0,5,1.5\n").encode(), "t.csv:2: output_tokens is '1.5'"),
    ("t.csv", (HEAD + "0,nan,5\n").encode(), "t.csv:2: input_tokens is 'nan'"),
    ("t.csv", (HEAD + "inf,5,5\n").encode(), "t.csv:2: arrival_s is 'inf'"),
    ("t.csv", (HEAD + "-1,5,5\n").encode(), "t.csv:2: arrival_s is '-1', expected seconds"),
    ("t.csv", (HEAD + "5,5,5\n4,5,5\n").encode(), "t.csv:3: arrival_s goes back in time"),
    ("t.csv", (HEAD + "0,5,5\n1e300,5,5\n").encode(), "covers over 366 days"),
    ("t.csv", (HEAD + "0,5\n").encode(), "t.csv:2: output_tokens is 'None'"),
    ("t.csv", b"\xff", "t.csv is not UTF-8 text (byte 0)"),
    ("t.csv", b'a,"' + b"x" * 200_000, "t.csv:"),
    ("t.jsonl", b"{]", "t.jsonl:1: no JSON"),
    ("t.jsonl", b"[" * 100_000, "t.jsonl:1: no JSON"),
    ("t.jsonl", b"[1]", "t.jsonl:1: no JSON object"),
    ("t.csv.gz", b"not packed", "t.csv.gz cannot be read"),
    ("t.csv.gz", gzip.compress(HEAD.encode())[:-9], "t.csv.gz cannot be read"),
    ("t.csv.gz", gzip.compress(b"0" * 128_000_001), "is over 128,000,000 bytes, unpacked"),
]


@pytest.mark.parametrize(
    ("name", "raw", "told"), WRONG_TRACES, ids=[str(n) for n in range(len(WRONG_TRACES))]
)
def test_a_wrong_trace_is_told(tmp_path: Path, name: str, raw: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(TraceFileError) as caught:
        read_trace_file(name, tmp_path)
    assert told in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["t.csv", "t.jsonl", "t.csv.gz", "t.jsonl.gz"]))
def test_no_bytes_raise_anything_but_a_trace_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, name: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for body in (raw, HEAD.encode() + raw, gzip.compress(raw)):
        (folder / name).write_bytes(body)
        try:
            found = read_trace_file(name, folder)
        except TraceFileError as error:
            assert name in str(error)
        else:
            assert found.requests > 0


def test_a_trace_gives_what_the_demand_leaves_out(tmp_path: Path) -> None:
    """Two days with all requests between 8 and 9 o'clock, and one that ends them."""
    rows = [
        f"{day * 86400 + 8 * 3600 + n * 36},{100 + n},{10}" for day in (0, 1) for n in range(100)
    ]
    (tmp_path / "t.csv").write_text(HEAD + "0,100,10\n" + "\n".join(rows) + "\n172799,100,10\n")
    cloud = read(RIGHT.replace(RATE, "    trace: t.csv\n"), tmp_path)
    (asked,) = cloud.demand
    assert asked.requests_per_s == pytest.approx(201 / 172799)
    assert (asked.shape, asked.lengths) == ("t.csv", "t.csv")
    seen = cloud.seen(CATALOG)
    shape = seen.shape("t.csv").by_local_hour
    assert sum(shape) == pytest.approx(24)
    assert shape[8] == max(shape) > 23
    assert seen.trace("t.csv").mean_input() == pytest.approx(
        (2 * 149.5 * 100 + 200) / 202, rel=1e-3
    )
    assert seen.trace("azure-conv") is CATALOG.trace("azure-conv")
    given_ = RIGHT.replace(RATE, RATE + "    trace: t.csv\n    shape: flat\n")
    (own,) = read(given_, tmp_path).demand
    assert (own.requests_per_s, own.shape, own.lengths) == (5.0, "flat", "t.csv")
    first = cloud.content_hash
    (tmp_path / "t.csv").write_text(HEAD + "0,100,10\n9,100,10\n")
    short = read(RIGHT.replace(RATE, "    trace: t.csv\n"), tmp_path)
    assert short.content_hash != first
    assert short.demand[0].shape == "flat"
    assert ["too short for a daily shape" in note.message for note in short.notes] == [True]


def test_a_trace_without_times_gives_lengths_alone(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"input_length": 7, "output_length": 3}\n')
    cloud = read(RIGHT.replace(RATE, RATE + "    lengths: t.jsonl\n"), tmp_path)
    assert cloud.seen(CATALOG).trace(str(cloud.demand[0].lengths)).mean_output() == 3
    with pytest.raises(SpecError, match="does not say when requests arrived"):
        read(RIGHT.replace(RATE, "    trace: t.jsonl\n"), tmp_path)
