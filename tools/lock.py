"""Write requirements/lock.txt: the versions that stand in this environment.

    python tools/lock.py            write the file
    python tools/lock.py --check    exit 1 if an installed version is not the locked one

Locked is what pyproject.toml's base, its extra `dev` (which holds the other extras) and its build
system reach, whatever else is installed. Name and version only: where a package comes from is the
business of whoever installs it, and so is its hash, which differs by platform. The same environment
gives the same file; to move to newer versions, upgrade the environment first.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "lock.txt"
HEAD = (
    "# Versions that make demo, make test and CI run with. "
    "Made by `make lock`; read by pip as constraints.\n"
)
LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.+!_-]+)")


class LockError(RuntimeError):
    """Something that must be installed is not."""


def wanted(pyproject: Path) -> list[Requirement]:
    """What the project itself asks for: base, extra `dev`, build system."""
    data = tomllib.loads(pyproject.read_text())
    own = canonicalize_name(data["project"]["name"])
    extras: dict[str, list[str]] = data["project"]["optional-dependencies"]
    found = [Requirement(text) for text in data["project"]["dependencies"]]
    found += [Requirement(text) for text in data["build-system"]["requires"]]
    todo, seen = ["dev"], set()
    while todo:
        extra = todo.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for requirement in map(Requirement, extras[extra]):
            if canonicalize_name(requirement.name) == own:
                todo += requirement.extras
            else:
                found.append(requirement)
    return found


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": e}) for e in (*extras, ""))


def reached(requirements: Iterable[Requirement]) -> dict[str, str]:
    """Name and version of every installed distribution that `requirements` lead to.

    Raises:
        LockError: one of them is not installed.
    """
    versions: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [r for r in requirements if _applies(r, ())]
    while todo:
        requirement = todo.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            found = distribution(requirement.name)
        except PackageNotFoundError:
            raise LockError(f"{requirement.name} is not installed; run make test once") from None
        versions[found.metadata["Name"]] = found.version
        inner = map(Requirement, found.requires or ())
        todo += [r for r in inner if _applies(r, requirement.extras)]
    return versions


def locked(text: str) -> dict[str, str]:
    """Name and version of each line of a lock file.

    Raises:
        LockError: a line is not `name==version`.
    """
    versions = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise LockError(f"requirements/lock.txt:{number}: {line!r} is not name==version")
        versions[match[1]] = match[2]
    return versions


def written(versions: dict[str, str]) -> str:
    """The lock file of these versions."""
    names = sorted(versions, key=canonicalize_name)
    return HEAD + "".join(f"{name}=={versions[name]}\n" for name in names)


def differences(lock: dict[str, str], installed: dict[str, str]) -> list[str]:
    """Where what is installed is not what is locked."""
    pinned = {canonicalize_name(name): version for name, version in lock.items()}
    told = []
    for name, version in sorted(installed.items(), key=lambda item: canonicalize_name(item[0])):
        known = pinned.get(canonicalize_name(name))
        if known is None:
            told.append(f"{name} {version} is installed and not locked")
        elif known != version:
            told.append(f"{name} {version} is installed, {known} is locked")
    return told


def main() -> int:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    try:
        installed = reached(wanted(ROOT / "pyproject.toml"))
        told = differences(locked(LOCK.read_text()), installed) if given.check else []
    except LockError as error:
        print(error, file=sys.stderr)
        return 2
    if given.check:
        print("\n".join(told) or f"{len(installed)} versions as locked")
        return 1 if told else 0
    LOCK.write_text(written(installed))
    print(f"{LOCK.relative_to(ROOT)}: {len(installed)} versions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
