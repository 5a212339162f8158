"""Each code is provoked by a small wrong file: line, column and message are what a user needs."""

from __future__ import annotations

import pytest

from neocloud.spec import CODES

from .test_supply_and_money import CASES as MARKED
from .texts import RIGHT, changed, problems

METRO = "    metro: washington\n"
POOL = "      - {accelerator: h100-sxm, nodes: 2}\n"
CONFIG = "    config: meta-llama/Meta-Llama-3.1-8B\n"
NAME = "    name: Acme\n"
METROS = "    metros: [new-york, chicago]\n"
RATE = "    requests_per_s: 5\n"
PRICES = "    price_per_mtok: {input: 0.10, output: 0.20}\n"

Case = tuple[str, tuple[str, str], int, int, str]

LOAN = """\
finance:
  base_rates: [{name: sofr, rates: [{date: 2026-01-01, rate: 0.04}]}]
  debt: [{kind: bond, name: a, commitment: 1, margin: 0, base_rate: sof, start: 2026-01-01,
    maturity: 2027-01-01}]
"""

CASES: list[Case] = [
    # code, (old, new), line, column, part of the message with its remedy
    ("E101", ("name: small\n", "name: 'small\n"), 20, 1, "unexpected end of stream"),
    ("E101", (METRO, "\tmetro: washington\n"), 4, 1, "a tab where YAML wants spaces. Indent with"),
    ("E101", ("name: small\n", "name: small\x07\n"), 1, 12, "'\\x07' cannot stand in YAML"),
    ("E101", (RATE, RATE + "---\nname: two\n"), 20, 1, "another document"),
    ("E102", (METROS, f"    metros: {'[' * 30}a{']' * 30}\n"), 18, 30, "nested over 20 deep"),
    ("E102", ("name: small\n", "name: &a [*a]\n"), 1, 11, "a holds itself. Write the values out"),
    ("E103", (METRO, METRO + "    metro: chicago\n"), 5, 5, "stands twice; first in line 4"),
    ("E103", (METROS, "    metros: [chicago, new-york, chicago]\n"), 18, 14, "names chicago twice"),
    ("E103", (NAME, "    allowed_sites: [ashburn, ashburn]\n"), 14, 30, "holds ashburn twice"),
    ("E104", (METRO, METRO + "    pue: 0.9\n"), 5, 10, "pue 0.9 is below 1. Use facility power"),
    ("E104", (METRO, METRO + "    pue: 3.1\n"), 5, 10, "pue 3.1 is above 3"),
    ("E104", (RATE, "    requests_per_s: 0\n"), 19, 21, "requests_per_s 0 is not above 0"),
    ("E104", (RATE, "    requests_per_s: 1e-999\n"), 19, 21, "is not above 0"),
    ("E104", (POOL, POOL.replace("2", "0")), 6, 40, "nodes 0 is below 1. Expected: whole number"),
    ("E104", (PRICES, PRICES.replace("0.20", "0.2000001")), 11, 43, "more than 6 decimals"),
    ("E104", (NAME, f"    name: {'x' * 201}\n"), 14, 11, "has 201 characters, over 200"),
    ("E104", (NAME, "    tax_rate: 19\n"), 14, 15, "write 0.8 for 80 %"),
    ("E105", (METRO, METRO + "    peu: 1.2\n"), 5, 5, "no field 'peu'. Did you mean pue?"),
    ("E105", (RATE, RATE + "rentals: {}\n"), 20, 1, "Did you mean rental?"),
    ("E106", ("name: small\n", "currency: USD\n"), 1, 1, "has no name. Add name: name. Name of"),
    ("E106", (POOL, "      - {accelerator: h100-sxm}\n"), 6, 9, "Add nodes: whole number from 1"),
    ("E106", (RIGHT, ""), 0, 0, "the file is empty. Run `neocloud init`"),
    ("E107", (POOL, POOL.replace("2", "two")), 6, 40, "nodes is 'two'. Expected: whole number"),
    ("E107", (POOL, POOL.replace("2", "1.5")), 6, 40, "nodes is '1.5'"),
    ("E107", (POOL, POOL.replace("2", ".nan")), 6, 40, "nodes is '.nan'"),
    ("E107", (METRO, "    metro: [washington]\n"), 4, 12, "metro is a list"),
    ("E107", (METRO, "    metro:\n"), 4, 11, "metro is empty"),
    ("E107", (RIGHT, "- name: small\n"), 1, 1, "the cloud is a list"),
    ("E107", ("name: small\n", "name: small\ncurrency: usd\n"), 2, 11, "three capital letters"),
    ("E107", ("name: small\n", "name: small\n[a]: b\n"), 2, 1, "a key is a list or a mapping"),
    ("E107", (RATE, RATE + "gateway: {listen: '127.0.0.1:70000'}\n"), 20, 19, "127.0.0.1:8080"),
    ("E107", (RATE, RATE + "gateway: {max_body_bytes: 4 MB a day}\n"), 20, 27, "such as 4 MiB"),
    ("E108", (POOL, POOL.replace("2", "2, engine: vlm")), 6, 51, "Did you mean vllm?"),
    ("E109", ("name: small\n", "name: a b\n"), 1, 7, "name 'a b' is not a name. Use up to 63"),
    ("E109", ("  ashburn:\n", "  ash/burn:\n"), 3, 3, "name in sites 'ash/burn' is not a name"),
    ("E109", (NAME, '    name: "\\ud800"\n'), 14, 11, "control characters or halves"),
    ("E110", (METRO, METRO + "    power: [{capacity_mw: 1}]\n"), 5, 13, "one price. Give one of"),
    (
        "E110",
        (METRO, METRO + "    power: [{usd_per_mwh: 1, eur_per_mwh: 1}]\n"), 5, 13, "2 prices",
    ),
    ("E201", ("  - model: llama\n", "  - model: lama\n"), 16, 12, "Did you mean llama?"),
    ("E201", (NAME, "    allowed_models: [lama, llama]\n"), 14, 22, "no model of this file"),
    ("E202", ("    tenant: acme\n", "    tenant: acne\n"), 17, 13, "Did you mean acme?"),
    ("E203", (NAME, "    allowed_sites: [ashbum]\n"), 14, 21, "Did you mean ashburn?"),
    ("E204", (METROS, "    metros: [new-york, chigaco]\n"), 18, 24, "Did you mean chicago?"),
    ("E204", (METRO, "    metro: washingtn\n"), 4, 12, "Did you mean washington?"),
    ("E205", (METRO, "    metro: pittsburgh\n"), 4, 12, "such metros are columbus, washington"),
    ("E206", (POOL, POOL.replace("h100-sxm", "h100")), 6, 23, "Did you mean h100-sxm"),
    ("E207", (RATE, RATE + "    lengths: azure-chat\n"), 20, 14, "Did you mean azure-conv"),
    ("E207", (RATE, RATE + "    shape: servegen\n"), 20, 12, "is no daily shape of the catalog"),
    ("E208", (CONFIG, "    config: llama-3.1-8b\n"), 9, 13, "Meta-Llama-3.1-8B"),
    ("E208", (CONFIG, "    config: no/config.json\n"), 9, 13, "no/config.json: cannot be read"),
    ("E209", (CONFIG, CONFIG + "    precisions: [int3]\n"), 10, 18, "'int3' cannot be served"),
    ("E210", (NAME, "    currency: EUR\n"), 14, 15, "no exchange rate from EUR (invoices of acme)"),
    ("E210", ("name: small\n", "name: small\ncurrency: CHF\n"), 2, 11, "from USD (prices of"),
    ("E210", (METRO, METRO + "    power: [{eur_per_mwh: 9}]\n"), 5, 27, "power of ashburn) to USD"),
    ("E210", (METRO, "    metro: frankfurt\n"), 4, 12, "no exchange rate from EUR (power of"),
    ("E211", (METROS, "    metros: {new-york: 0.5, chicago: 0.4}\n"), 18, 13, "sum to 0.9"),
    ("E212", (METRO, "    metro: tokyo\n"), 4, 12, "no power price at tokyo. Add power: a list"),
    ("E213", (POOL, POOL.replace("h100-sxm", "l40s")), 6, 23, "Add capex_usd: price of one"),
    ("E220", (RATE, RATE + LOAN), 22, 69, "Did you mean sofr?"),
    ("E214", (POOL, POOL + POOL), 7, 9, "two pools 'h100-sxm'. Give each its own name"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "change", "line", "column", "told"),
    CASES,
    ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)],
)
def test_a_mistake_is_told(
    code: str, change: tuple[str, str], line: int, column: int, told: str
) -> None:
    (found, *more) = problems(changed(change))
    assert not more, more
    assert (found.code, found.line, found.column) == (code, line, column), str(found)
    assert told in f"{found.message}. {found.remedy}"
    place = f"cloud.yaml:{line}:{column}" if line else "cloud.yaml"
    assert str(found).startswith(f"{place}: {code} ")


def test_a_tenant_that_asks_for_what_it_may_not_use_is_told() -> None:
    models = changed((NAME, "    allowed_models: [other]\n")).replace(
        "models:\n",
        "models:\n  other:\n    config: openai/gpt-oss-20b\n"
        "    objective: {ttft_ms: 1, tpot_ms: 1}\n    price_per_mtok: {input: 1, output: 1}\n",
    )
    (found,) = problems(models)
    assert (found.code, found.line, found.column) == ("E215", 20, 5)
    assert "tenant acme asks for llama, which it may not use" in found.message


def test_every_code_but_the_unreadable_file_is_provoked_here() -> None:
    here = {case[0] for case in CASES} | {case[0] for case in MARKED}
    assert here | {"E100", "E215"} == set(CODES)


def test_the_right_file_has_no_problem() -> None:
    assert problems(RIGHT) == ()


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = changed(
        ("name: small\n", "name: s m\n"),
        (METRO, "    metro: washingtn\n    pue: 0.5\n"),
        (POOL, "      - {accelerator: h100, nods: 2}\n"),
        (CONFIG, "    config: nothing\n"),
        (PRICES, "    price_per_mtok: {input: cheap, output: 0.2}\n"),
        (METROS, "    metros: {nowhere: 0.5, chicago: 0.4}\n"),
        (RATE, "    requests_per_s: -1\n"),
    )
    found = problems(text)
    assert [(problem.line, problem.code) for problem in found] == [
        (1, "E109"), (4, "E204"), (5, "E104"), (7, "E106"), (7, "E206"), (7, "E105"), (10, "E208"),
        (12, "E107"), (19, "E204"), (20, "E104"),
    ]  # fmt: skip
    assert len({str(problem) for problem in found}) == len(found)


def test_a_broken_part_makes_no_mistakes_elsewhere() -> None:
    """What refers to a record is fine as long as its name stands there."""
    text = changed((CONFIG, "    config: nothing\n"), (NAME, "    nam: Acme\n"))
    assert [problem.code for problem in problems(text)] == ["E208", "E105"]


def test_a_demand_without_its_tenant_is_told_once() -> None:
    two = changed((NAME, NAME + "  other:\n"), ("    tenant: acme\n", ""))
    (found,) = problems(two)
    assert (found.code, found.line) == ("E106", 17)
    assert "Add tenant: one of acme, other." in found.remedy
    none = changed(("  acme:\n    name: Acme\n", ""), ("    tenant: acme\n", ""))
    assert [problem.code for problem in problems(none)] == ["E107"]


def test_a_thousand_laughs_are_refused_before_they_grow() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (*_, found) = problems("\n".join(lines))
    assert found.code == "E102"
    assert "over 100,000 values" in found.message


def test_many_anchors_and_deep_brackets_do_no_harm() -> None:
    assert [p.code for p in problems("[" * 50_000)] in (["E101"], ["E102"])
    assert [p.code for p in problems("x" * 1_000_001)] == ["E100"]


def test_messages_end_well() -> None:
    for _, change, *_ in CASES:
        for problem in problems(changed(change)):
            assert not problem.message.endswith("."), problem
            assert problem.remedy.endswith((".", "?")), problem


def test_a_long_text_is_told_shortly() -> None:
    (found,) = problems("x " * 400_000)
    assert len(found.message) < 400
    wrong = ", ".join(f"site-{n}" for n in range(1000))
    found_all = problems(changed((NAME, f"    allowed_sites: [{wrong}]\n")))
    assert [p.code for p in found_all] == ["E203"] * 1000
