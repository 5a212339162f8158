"""What is installed is declared, explained and pinned, and imported only where it is needed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .pages import table_rows
from .tree import DOCS, ROOT, SRC, imports, load_tool, parse, show

IMPORTED_AS = {"opentelemetry": "opentelemetry-sdk", "yaml": "pyyaml"}
"""Top module to distribution where the names differ."""

GUARDED = {
    "matplotlib": "plot", "opentelemetry": "telemetry", "psycopg": "postgresql",
    "pyarrow": "parquet", "redis": "redis", "reportlab": "pdf", "xllamacpp": "local",
    "xlsxwriter": "xlsx",
}  # fmt: skip
"""Modules of extras that the source imports when asked to, and the extra that its error names."""

AT_START = frozenset({"click"})
"""All that `neocloud --help` loads beside the standard library and itself."""


lock = load_tool("lock")


def declared() -> dict[str, set[str]]:
    """Names in pyproject.toml by section: `base` and each extra, without neocloud itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sections = {"base": project["dependencies"], **project["optional-dependencies"]}
    return {
        section: {re.split(r"[\[<>=!~; ]", text)[0] for text in texts} - {"neocloud"}
        for section, texts in sections.items()
    }


def explained(page: str) -> dict[str, set[str]]:
    """Names in the page's tables by section."""
    found = {}
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title = part.splitlines()[0]
        section = title.removeprefix("Extra ").strip("`").lower()
        rows = table_rows(part, "package", "for", "instead of", "MB")
        names = [name for name, *_ in rows]
        assert len(names) == len(set(names))
        assert all(all(cells) for cells in rows), f"{title}: an empty cell"
        found[section] = set(names)
    return found


def test_the_page_explains_exactly_what_is_declared() -> None:
    assert explained((DOCS / "dependencies.md").read_text()) == declared()


def test_the_lock_pins_each_declared_dependency_by_version_alone() -> None:
    pinned = lock.locked((ROOT / "requirements" / "lock.txt").read_text())
    names = {name.lower().replace("_", "-") for name in pinned}
    missing = set().union(*declared().values()) - names
    assert not missing, f"make lock: {missing}"


def test_the_lock_is_as_the_tool_writes_it() -> None:
    text = (ROOT / "requirements" / "lock.txt").read_text()
    assert text == lock.written(lock.locked(text))


def test_the_tests_run_with_the_locked_versions() -> None:
    text = (ROOT / "requirements" / "lock.txt").read_text()
    installed = lock.reached(lock.wanted(ROOT / "pyproject.toml"))
    told = lock.differences(lock.locked(text), installed)
    assert not told, "\n".join(told)


@pytest.mark.parametrize(
    "line",
    [
        "numpy>=2",
        "numpy @ https://example.org/numpy.whl",
        "numpy==2.0 --hash=sha256:00",
        "-i https://example.org/simple",
    ],
)
def test_a_lock_that_says_more_than_versions_is_refused(line: str) -> None:
    with pytest.raises(lock.LockError, match="is not name==version"):
        lock.locked(f"click==8.1\n{line}\n")


def test_differences_name_what_is_not_locked() -> None:
    found = lock.differences({"PyYAML": "6.0", "rich": "1"}, {"pyyaml": "6.1", "click": "8"})
    assert found == [
        "click 8 is installed and not locked",
        "pyyaml 6.1 is installed, 6.0 is locked",
    ]


def test_the_lock_follows_extras_and_markers() -> None:
    wanted = [
        lock.Requirement("pytest"),
        lock.Requirement("hypothesis[numpy]; python_version < '3'"),
        lock.Requirement("neocloud[plot]"),
    ]
    found = {name.lower() for name in lock.reached(wanted)}
    assert {"pytest", "pluggy", "neocloud", "matplotlib", "numpy"} <= found
    assert not {"hypothesis", "pyarrow", "openai", "pytest-xdist"} & found
    assert lock.reached(wanted) == lock.reached(wanted[::-1])
    with pytest.raises(lock.LockError, match="no-such-package is not installed"):
        lock.reached([lock.Requirement("no-such-package")])


def problems_of_imports(path: Path, base: set[str]) -> list[str]:
    """Imports of a module that nothing declares, or that an install without extras would miss."""
    told = []
    for item in imports(parse(path)):
        top = item.module.split(".")[0]
        name = IMPORTED_AS.get(top, top)
        if top in sys.stdlib_module_names or top == "neocloud" or name in base:
            continue
        where = f"{show(path)}:{item.line}: {top}"
        if top not in GUARDED:
            told.append(f"{where} is not declared in pyproject.toml")
        elif item.at_start or not item.guarded:
            told.append(
                f"{where} is of an extra: import it in a function, in a try for ImportError"
            )
        elif f"neocloud[{GUARDED[top]}]" not in path.read_text():
            told.append(f"{where} is missing: say pip install 'neocloud[{GUARDED[top]}]'")
    return told


def test_the_source_imports_only_what_is_declared() -> None:
    base = declared()["base"]
    told = [t for path in sorted(SRC.rglob("*.py")) for t in problems_of_imports(path, base)]
    assert not told, "\n".join(told)
    for name, extra in GUARDED.items():
        assert IMPORTED_AS.get(name, name) in declared()[extra]


def test_each_base_dependency_is_imported() -> None:
    used = {
        IMPORTED_AS.get(top, top)
        for path in SRC.rglob("*.py")
        for item in imports(parse(path))
        if (top := item.module.split(".")[0])
    }
    unused = declared()["base"] - used
    assert not unused, f"declared and not used: {unused}"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import scipy\n", "scipy is not declared"),
        ("import pyarrow\n", "import it in a function"),
        ("def f():\n    import pyarrow\n", "in a try for ImportError"),
        ("try:\n    import pyarrow\nexcept ImportError:\n    pass\n", "import it in a function"),
        (
            "def f():\n    try:\n        import pyarrow\n    except ImportError:\n        raise\n",
            "say pip install 'neocloud[parquet]'",
        ),
        (
            "def f():\n    try:\n        pass\n    except ImportError:\n        import pyarrow\n",
            "in a try for ImportError",
        ),
    ],
)
def test_undeclared_imports_are_told(tmp_path: Path, source: str, told: str) -> None:
    path = tmp_path / "a.py"
    path.write_text(source)
    (problem,) = problems_of_imports(path, {"numpy"})
    assert told in problem


def test_starting_up_loads_nothing_heavy() -> None:
    """A fresh interpreter: what this one has loaded for other tests does not count."""
    code = "import sys, neocloud.cli.main; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split()) - set(sys.stdlib_module_names)
    third_party = {name for name in loaded if not name.startswith(("_", "neocloud"))}
    assert third_party == AT_START


def test_a_gateway_loads_no_solver_and_one_without_a_plan_no_arrays() -> None:
    """Each process of a gateway would hold them in memory for nothing."""
    code = (
        "import sys, neocloud.cli.up, neocloud.gateway.workers.worker\n"
        "print('numpy' in sys.modules)\n"
        "import neocloud.planner\n"
        "print('highspy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
