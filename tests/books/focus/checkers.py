"""The two checkers that others wrote, each as a program in an environment of its own.

The environments are made at first use under `.venv-focus` of the checkout and kept there; a change
of the pins makes them anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / ".venv-focus"
NEWER = ("3.12", "3.13", "3.14")
"""Pythons that focus-validator runs on; the first is best: numpy below 2 has wheels for it."""
FALSE_ALARM = "InvoiceId-C-004-C"
"""Asks for a null InvoiceId wherever there is one: it says "when the charge is not associated with
an invoice" and does not look."""
APPLICABLE = (
    "ACCOUNT_NAMING_SUPPORTED", "AVAILABILITY_ZONE_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED", "NEGOTIATED_PRICING_SUPPORTED",
    "PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED", "PUBLIC_PRICE_LIST_SUPPORTED",
    "REGION_SUPPORTED", "TAGGING_SUPPORTED", "UNIT_PRICING_SUPPORTED",
)  # fmt: skip
"""What the export supports, by the names of focus-validator.

Two more hold of it, and their rules are wrong in 2.2.1: USAGE_MEASUREMENT_SUPPORTED asks rows that
are corrections for a quantity where it means all others, and CAPACITY_RESERVATION_SUPPORTED loses
its condition and asks every row for both a status and none.
"""
_TOTAL = re.compile(r"^Total: (\d+) \| Pass: (\d+) \| Fail: (\d+) \| Skipped: (\d+)$", re.MULTILINE)
_FAILED = re.compile(r"^- (\S+): violations=", re.MULTILINE)
_MANY = """
import contextlib, io, sys
from pathlib import Path
from focus_validator.main import main

criteria, *files = sys.argv[1:]
for file in files:
    sys.argv = ["focus-validator", "--data-file", file, "--validate-version", "1.2.0.1",
                "--block-download", "--applicability-criteria", criteria]
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        try:
            main()
        except SystemExit:
            pass
        except Exception as error:
            print(f"broke off: {error!r}")
    Path(file + ".told").write_text(told.getvalue())
"""


@dataclass(frozen=True)
class Verdict:
    """What focus-validator says of a file: rules checked and passed, names of those that failed."""

    checked: int
    passed: int
    failed: frozenset[str]

    @property
    def is_good(self) -> bool:
        """True if nothing failed but the false alarm."""
        return self.checked > 0 and self.failed <= {FALSE_ALARM}


def toolkit(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run focus-data-toolkit."""
    program = _environment("focus-toolkit", "focus-data-toolkit", sys.executable)
    return _run([str(program / "bin" / "focus-toolkit"), *arguments], ROOT)


def validator(file: Path) -> Verdict:
    """Run focus-validator over a 1.2 file. Its exit status is 0 whatever it finds."""
    home = _validator()
    done = _run(
        [
            str(home / "bin" / "focus-validator"), "--data-file", str(file.resolve()),
            "--validate-version", "1.2.0.1", "--block-download",
            "--applicability-criteria", ",".join(APPLICABLE),
        ],
        home,
    )  # fmt: skip
    return verdict_of(done.stdout + done.stderr)


def validator_of_many(files: Sequence[Path]) -> list[Verdict]:
    """The same over many files in one process, which spares loading its rules again."""
    home = _validator()
    named = [str(file.resolve()) for file in files]
    done = _run([str(home / "bin" / "python"), "-c", _MANY, ",".join(APPLICABLE), *named], home)
    assert done.returncode == 0, done.stderr
    return [verdict_of(Path(name + ".told").read_text()) for name in named]


def verdict_of(told: str) -> Verdict:
    """Read the line of totals and the list of failures, and hold them to each other."""
    found = _TOTAL.search(told)
    if found is None:
        return Verdict(checked=0, passed=0, failed=frozenset({"broke off: " + told[-300:]}))
    total, passed, failed, skipped = map(int, found.groups())
    names = frozenset(_FAILED.findall(told))
    assert (len(names), total) == (failed, passed + failed + skipped), told
    return Verdict(checked=passed + failed, passed=passed, failed=names)


def _validator() -> Path:
    """Its environment, which is its working folder too: it reads currencies by a relative path."""
    home = _environment("focus-validator", "focus-validator", _newer_python())
    currencies = home / "focus_validator" / "rules" / "currency_codes.csv"
    if not currencies.exists():
        (shipped,) = home.glob(
            "lib/python3*/site-packages/focus_validator/rules/currency_codes.csv"
        )
        currencies.parent.mkdir(parents=True, exist_ok=True)
        part = currencies.with_suffix(f".{id(shipped)}")
        shutil.copyfile(shipped, part)
        part.replace(currencies)
    return home


def _environment(name: str, package: str, python: str) -> Path:
    """An environment that holds `package` by the pins in `requirements`, made if need be."""
    pins = ROOT / "requirements" / f"{name}.txt"
    home = HOME / f"{name}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:8]}"
    with _locked(HOME / f"{name}.lock"):
        if not (home / ".done").exists():
            shutil.rmtree(home, ignore_errors=True)
            _checked([python, "-m", "venv", "--without-pip", str(home)])
            _checked([
                _with_pip(python), "-m", "pip", "--python", str(home / "bin" / "python"), "install",
                "-q", "--disable-pip-version-check", "-c", str(pins), package,
            ])  # fmt: skip
            (home / ".done").touch()
    return home


def _newer_python() -> str:
    """A Python that focus-validator runs on, from PATH or of pyenv."""
    for version in NEWER:
        names = [shutil.which(f"python{version}")]
        if pyenv := shutil.which("pyenv"):
            root = subprocess.run([pyenv, "root"], capture_output=True, text=True).stdout.strip()
            names += sorted(
                str(path) for path in Path(root).glob(f"versions/{version}*/bin/python")
            )
        for name in filter(None, names):
            if _version_of(name) == version:
                return name
    raise AssertionError(
        f"focus-validator, which checks FOCUS 1.2, needs Python {NEWER[0]} or newer, and there is "
        "none on PATH or among pyenv's versions. Install one: apt install python3.12 "
        "python3.12-venv, or pyenv install 3.12."
    )


def _version_of(python: str) -> str:
    """Version of a Python; empty if it does not run, as pyenv's stand-ins for absent ones."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip()


def _with_pip(python: str) -> str:
    """A Python that has pip, which may install into the environments of another."""
    base = str(Path(sys.base_prefix) / "bin" / "python3")
    for name in (python, base, shutil.which("python3") or base):
        if subprocess.run([name, "-m", "pip", "--version"], capture_output=True).returncode == 0:
            return name
    raise AssertionError("no Python here has pip: apt install python3-pip")


def _checked(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=240)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One at a time over all test processes of the checkout."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
