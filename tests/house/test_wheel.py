"""The wheel works where nothing of the checkout is: a fresh environment, another directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .tree import ROOT, SRC

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run without what would lead back to the checkout."""
    away = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP"}
    env = {name: value for name, value in os.environ.items() if name not in away}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)


def outer_pip() -> list[str] | None:
    """A Python that has pip: the one that this environment was made from."""
    for python in (sys._base_executable, shutil.which("python3", path=os.defpath)):
        if (
            python
            and subprocess.run([python, "-m", "pip", "-V"], capture_output=True).returncode == 0
        ):
            return [python, "-m", "pip"]
    return None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    built = run(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a virtual environment in which only the wheel's base is installed."""
    pip = outer_pip()
    assert pip is not None, "no pip to install with; the Makefile needs one too"
    home = tmp_path_factory.mktemp("elsewhere")
    made = run(sys.executable, "-m", "venv", "--without-pip", home / "env", cwd=home)
    assert made.returncode == 0, made.stderr
    lock = ROOT / "requirements" / "lock.txt"
    python = home / "env" / "bin" / "python"
    quiet = ["--disable-pip-version-check", "-q"]
    done = run(*pip, "--python", python, "install", *quiet, "-c", lock, wheel, cwd=home)
    assert done.returncode == 0, done.stderr
    return home


def neocloud(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(home / "env" / "bin" / "neocloud", *words, cwd=home)


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
    here = {
        f"neocloud/{path.relative_to(SRC).as_posix()}"
        for path in SRC.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == here
    assert {"neocloud/py.typed", "neocloud/catalog/data/sources.csv"} <= names


def test_it_carries_its_licences(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(n).name for n in archive.namelist() if "/licenses/" in n}
        (metadata,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()
    assert names == {"LICENSE", "NOTICE"}
    assert "License-Expression: Apache-2.0" in text


def test_it_runs_from_its_own_installation(home: Path) -> None:
    code = "import neocloud; print(neocloud.__file__)"
    where = run(home / "env" / "bin" / "python", "-c", code, cwd=home).stdout.strip()
    assert Path(where).is_relative_to(home / "env")


def test_its_catalog_came_along(home: Path) -> None:
    code = (
        "from neocloud.catalog import load_catalog; print(load_catalog().accelerator('mi300x').key)"
    )
    done = run(home / "env" / "bin" / "python", "-c", code, cwd=home)
    assert done.stdout.strip() == "mi300x", done.stderr


def test_it_says_its_version(home: Path, wheel: Path) -> None:
    done = neocloud(home, "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == wheel.name.split("-")[1]


def test_from_init_to_plan(home: Path) -> None:
    for words in (["init", "cloud.yaml"], ["validate", "cloud.yaml"], ["plan", "cloud.yaml"]):
        done = neocloud(home, *words)
        assert done.returncode == 0, f"neocloud {' '.join(words)}: {done.stdout}{done.stderr}"
    plan = json.loads((home / "plan.json").read_text())
    assert plan["schema"].startswith("neocloud.plan/")
    assert plan["placements"]


def test_what_an_extra_would_bring_is_not_there(home: Path) -> None:
    code = (
        "import importlib.util as u; print([n for n in ('matplotlib', 'pyarrow', 'numba', 'openai')"
    )
    code += " if u.find_spec(n)])"
    done = run(home / "env" / "bin" / "python", "-c", code, cwd=home)
    assert done.stdout.strip() == "[]", done.stderr
