"""docs/invariants.md lists the rules in order, and names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "invariants.md"
SOURCE = HERE.parents[1] / "src" / "neocloud" / "replica"
ROW = re.compile(r"^\| (R\d+) \| (.+) \| `(\w+\.py)::(\w+)` \|$", re.MULTILINE)


def test_every_rule_has_a_sentence_and_a_test():
    rows = ROW.findall(PAGE.read_text())
    assert [row[0] for row in rows] == [f"R{n}" for n in range(1, 17)]
    for rule, sentence, file, test in rows:
        assert sentence.endswith("."), rule
        assert f"def {test}(" in (HERE / file).read_text(), f"{rule}: no {file}::{test}"


def test_code_and_tests_name_no_other_rule():
    listed = {row[0] for row in ROW.findall(PAGE.read_text())}
    named = {
        rule
        for path in [*SOURCE.glob("*.py"), *HERE.glob("*.py")]
        for rule in re.findall(r"\bR\d+\b", path.read_text())
    }
    assert named <= listed
    tests = "".join(p.read_text() for p in HERE.glob("*.py") if p != Path(__file__))
    unproved = [rule for rule in listed if not re.search(rf"\b{rule}\b", tests)]
    assert not unproved, f"no test says that it checks {unproved}"
