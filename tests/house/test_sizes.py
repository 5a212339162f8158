"""No module over 400 lines, no function over 70; what is over today may only shrink."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from .tree import parse, python_files, show

MODULE_LINES = 400
FUNCTION_LINES = 70
RATCHET = Path(__file__).with_name("sizes.txt")


def sizes(path: Path) -> dict[str, int]:
    """Lines of a module, by its path, and of its functions, by `path::Class.function`."""
    name = show(path)
    found = {name: len(path.read_text().splitlines())}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{prefix}{child.name}"
                if not isinstance(child, ast.ClassDef):
                    assert child.end_lineno is not None
                    found[f"{name}::{inner}"] = child.end_lineno - child.lineno + 1
                visit(child, f"{inner}.")
            else:
                visit(child, prefix)

    visit(parse(path), "")
    return found


def limit(key: str) -> int:
    return FUNCTION_LINES if "::" in key else MODULE_LINES


def judge(found: dict[str, int], allowed: dict[str, int]) -> list[str]:
    """What is too long, and what the list of exceptions must no longer say."""
    told = []
    for key, lines in sorted(found.items()):
        most = max(limit(key), allowed.get(key, 0))
        if lines > most:
            told.append(f"{key}: {lines} lines, at most {most}. Split it by what it is about.")
    for key, lines in sorted(allowed.items()):
        now = found.get(key, 0)
        if now <= limit(key):
            told.append(f"{key}: {now} lines now; take it out of sizes.txt")
        elif now < lines:
            told.append(f"{key}: {now} lines now; write {now} in sizes.txt instead of {lines}")
    return told


def exceptions(text: str) -> dict[str, int]:
    """The list of exceptions: a line each, lines and name."""
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return {name: int(lines) for lines, name in rows}


def test_modules_and_functions_are_short() -> None:
    found: dict[str, int] = {}
    for path in python_files("src", "tests", "tools", "examples", "bench"):
        found |= sizes(path)
    told = judge(found, exceptions(RATCHET.read_text()))
    assert not told, "\n".join(told)


@pytest.mark.parametrize(
    ("found", "allowed", "told"),
    [
        ({"a.py": 401}, {}, "401 lines, at most 400"),
        ({"a.py::f": 71}, {}, "71 lines, at most 70"),
        ({"a.py": 450}, {"a.py": 440}, "450 lines, at most 440"),
        ({"a.py": 430}, {"a.py": 440}, "write 430 in sizes.txt"),
        ({"a.py": 400}, {"a.py": 440}, "take it out"),
        ({}, {"gone.py": 440}, "take it out"),
    ],
)
def test_the_ratchet_only_turns_down(
    found: dict[str, int], allowed: dict[str, int], told: str
) -> None:
    (text,) = judge(found, allowed)
    assert told in text


def test_what_is_within_its_limit_passes() -> None:
    assert judge({"a.py": 400, "a.py::f": 70, "b.py": 440}, {"b.py": 440}) == []


def test_functions_are_measured_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(
        "class A:\n    def f(self):\n        def g():\n            return 1\n        x\n"
    )
    assert list(sizes(path).values()) == [5, 4, 2]
    assert [k.rpartition("::")[2] for k in sizes(path)][1:] == ["A.f", "A.f.g"]
