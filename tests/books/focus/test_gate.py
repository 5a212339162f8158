"""The gate: a rich export before both third-party checkers and our own, and damage to prove it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from neocloud.books.focus import Version, problems_of, write_export

from .case import MONTHS, NOVEMBER, OCTOBER, Case
from .checkers import FALSE_ALARM, Verdict, toolkit, validator, validator_of_many, verdict_of
from .faults import FAULTS, Fault, damaged

pytestmark = pytest.mark.slow
DATASETS = ("cost_and_usage", "contract_commitment", "billing_period", "invoice_detail")
SUPPORTS = (
    "--supports", "SupportsUnitPricing", "--supports", "SupportsMultiplePricingCategories",
)  # fmt: skip


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("focus"))


@pytest.fixture(scope="module")
def exported(case: Case) -> dict[str, Path]:
    """A folder for each month, with the files of both versions."""
    found = {}
    for month in MONTHS:
        found[month] = case.folder / month
        for version in Version:
            write_export(case.export(month), version, found[month])
    return found


def of_1_4(folder: Path, dataset: str) -> Path:
    return folder / f"focus_1_4_{dataset}.csv"


def of_1_2(folder: Path) -> Path:
    return folder / "focus_1_2_cost_and_usage.csv"


def passes(file: Path, dataset: str) -> bool:
    name = dataset.replace("_", "-")
    return toolkit("validate", "--dataset", name, *SUPPORTS, str(file)).returncode == 0


def bundle(folder: Path) -> bool:
    named = [a for d in DATASETS for a in (f"--{d.replace('_', '-')}", str(of_1_4(folder, d)))]
    return toolkit("validate-bundle", *named).returncode == 0


@pytest.mark.parametrize("month", [OCTOBER, NOVEMBER])
def test_1_4_passes_the_toolkit(exported: dict[str, Path], month: str):
    for dataset in DATASETS:
        assert passes(of_1_4(exported[month], dataset), dataset), dataset
    assert bundle(exported[month])


def test_an_open_month_passes_too_and_has_no_invoice(exported: dict[str, Path]):
    folder = exported[MONTHS[-1]]
    for dataset in DATASETS[:-1]:
        assert passes(of_1_4(folder, dataset), dataset), dataset
    assert len(of_1_4(folder, "invoice_detail").read_text().splitlines()) == 1


@pytest.mark.parametrize("month", [OCTOBER, NOVEMBER])
def test_1_2_passes_the_validator_but_for_its_false_alarm(exported: dict[str, Path], month: str):
    verdict = validator(of_1_2(exported[month]))
    assert verdict.failed == {FALSE_ALARM}
    assert verdict.passed > 240


@pytest.fixture(scope="module")
def damaged_1_2(
    exported: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The 1.2 file with each fault that it can have, and the good one under an empty name."""
    folder = tmp_path_factory.mktemp("damaged")
    good = of_1_2(exported[OCTOBER])
    files = {"": folder / "good.csv"}
    shutil.copyfile(good, files[""])
    for fault in FAULTS:
        if fault.is_of_1_2:
            files[fault.name] = folder / f"{fault.name}_cost_and_usage.csv"
            damaged(good, files[fault.name], fault)
    return files


@pytest.fixture(scope="module")
def verdicts(damaged_1_2: dict[str, Path]) -> dict[str, Verdict]:
    """What the validator says of each."""
    return dict(zip(damaged_1_2, validator_of_many([*damaged_1_2.values()]), strict=True))


def test_many_at_once_are_judged_as_one_by_one(verdicts: dict[str, Verdict]):
    assert verdicts[""].failed == {FALSE_ALARM}
    assert verdicts[""].passed > 240


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_damage_is_noticed(
    tmp_path: Path,
    case: Case,
    exported: dict[str, Path],
    damaged_1_2: dict[str, Path],
    verdicts: dict[str, Verdict],
    fault: Fault,
):
    good, totals = exported[OCTOBER], case.export(OCTOBER).totals
    files = [of_1_4(tmp_path, dataset) for dataset in DATASETS]
    for file in files:
        shutil.copyfile(good / file.name, file)
    file = of_1_4(tmp_path, fault.dataset)
    damaged(good / file.name, file, fault)
    noticed = set()
    if not passes(file, fault.dataset) or not bundle(tmp_path):
        noticed.add("toolkit")
    if problems_of(files, totals):
        noticed.add("own")
    if fault.is_of_1_2:
        if not verdicts[fault.name].is_good:
            noticed.add("validator")
        assert bool(problems_of([damaged_1_2[fault.name]], totals)) == ("own" in noticed)
    assert noticed == fault.noticed


def test_a_verdict_without_totals_is_bad():
    assert not verdict_of("Traceback").is_good
    told = "Total: 3 | Pass: 1 | Fail: 1 | Skipped: 1\n- BilledCost-C-003-M: violations=2; null\n"
    assert verdict_of(told).failed == {"BilledCost-C-003-M"}
    assert not verdict_of(told).is_good
    with pytest.raises(AssertionError):
        verdict_of(told.replace("Fail: 1", "Fail: 2"))
