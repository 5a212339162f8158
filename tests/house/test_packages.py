"""The gateway's packages stand in the order of docs/architecture.md, and import only upwards."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from .tree import DOCS, SRC, parse

_HEAD = "| package of `gateway` | owns |"
_MOST = 12
"""Modules beside each other: more, and nobody finds the one that is meant."""


def packages_of(page: str) -> list[str]:
    """The first cells of the table, in its order."""
    rows = page.partition(_HEAD)[2].partition("\n\n")[0].splitlines()[2:]
    return [row.split("`")[1] for row in rows]


def problems(folder: Path, order: list[str]) -> list[str]:
    """What breaks the order below `folder`, which is the package `neocloud.gateway`.

    Imports for the type checker alone count too.
    """
    found = []
    for path in sorted(folder.rglob("*.py")):
        within = path.relative_to(folder)
        own = within.parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        if own not in order:
            found.append(f"{own} is not in the table of docs/architecture.md")
            continue
        for item in ast.walk(parse(path)):
            if not isinstance(item, ast.ImportFrom):
                continue
            parts = (item.module or "").split(".")
            if parts[:2] != ["neocloud", "gateway"]:
                continue
            targets = parts[2:3] or [alias.name for alias in item.names]
            found += [
                f"{within.as_posix()}:{item.lineno}: {own} imports {target}"
                for target in targets
                if target not in order or order.index(target) > order.index(own)
            ]
    return found


def test_the_packages_are_in_order() -> None:
    order = packages_of((DOCS / "architecture.md").read_text())
    there = {p.name.removesuffix(".py") for p in (SRC / "gateway").iterdir()}
    assert there - {"__init__", "__pycache__"} == set(order)
    found = problems(SRC / "gateway", order)
    assert not found, "\n".join(found)


def test_a_package_can_be_looked_over() -> None:
    for folder in (SRC / "gateway").rglob("*/"):
        if folder.name != "__pycache__":
            modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
            assert len(modules) <= _MOST, f"{folder.name} has {len(modules)} modules"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("from neocloud.gateway.below import x\n", "above imports below"),
        ("def f():\n    from neocloud.gateway.below.a import x\n", "above/a.py:2: above imports"),
        ("if TYPE_CHECKING:\n    from neocloud.gateway.below import x\n", "above imports below"),
        ("from neocloud.gateway import Gateway\n", "above imports Gateway"),
    ],
)
def test_what_breaks_the_order_is_told(tmp_path: Path, source: str, told: str) -> None:
    (tmp_path / "above").mkdir()
    (tmp_path / "above" / "a.py").write_text(source)
    found = problems(tmp_path, ["above", "below"])
    assert len(found) == 1, found
    assert told in found[0]


def test_what_is_allowed_passes(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.py").write_text(
        "from neocloud.gateway.above import x\nfrom neocloud.gateway.below.b import y\n"
    )
    assert problems(tmp_path, ["above", "below"]) == []
