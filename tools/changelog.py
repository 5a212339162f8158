"""Put the fragments of `changes/` into CHANGELOG.md as one release.

    python tools/changelog.py 0.2.0 2026-12-01     write the section, remove the fragments
    python tools/changelog.py --draft              print what the section would hold

A fragment is `changes/WHAT.KIND.md`: a sentence or a few of one change, for whoever uses neocloud.
KIND is one of added, changed, fixed, removed.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("added", "changed", "fixed", "removed")
NAME = re.compile(rf"[a-z0-9-]+\.({'|'.join(KINDS)})\.md")


class ChangelogError(ValueError):
    """A fragment, version or date that cannot be used; the message says what to write."""


def fragments(folder: Path) -> dict[str, list[Path]]:
    """Fragments by kind, in the order of their names."""
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for path in sorted(folder.iterdir()):
        if path.name == "README.md":
            continue
        match = NAME.fullmatch(path.name)
        if match is None:
            raise ChangelogError(
                f"{path}: call it WHAT.KIND.md with KIND one of {', '.join(KINDS)}"
            )
        if not path.read_text().strip():
            raise ChangelogError(f"{path} is empty; say what changed")
        found[match[1]].append(path)
    return found


def entry(text: str) -> str:
    """One fragment as an item of a list."""
    first, *rest = text.strip().splitlines()
    return "\n".join([f"- {first}", *(f"  {line}".rstrip() for line in rest)])


def section(folder: Path, version: str, date: str) -> str:
    """The release's section."""
    parts = [f"## {version} - {date}"]
    for kind, paths in fragments(folder).items():
        if paths:
            entries = "\n".join(entry(path.read_text()) for path in paths)
            parts.append(f"### {kind.capitalize()}\n\n{entries}")
    if len(parts) == 1:
        raise ChangelogError(f"{folder} holds no change; there is nothing to release")
    return "\n\n".join(parts) + "\n"


def release(changelog: Path, folder: Path, version: str, date: str) -> None:
    """Write the section above the earlier ones and remove its fragments."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ChangelogError(f"{version!r} is not a version; write it as 0.2.0")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        raise ChangelogError(f"{date!r} is not a date; write it as 2026-12-01")
    text = changelog.read_text()
    if f"\n## {version} " in text:
        raise ChangelogError(f"{changelog.name} has {version} already")
    made = section(folder, version, date)
    head, mark, earlier = text.partition("\n## ")
    changelog.write_text(f"{head.rstrip()}\n\n{made}{mark}{earlier}")
    for paths in fragments(folder).values():
        for path in paths:
            path.unlink()


def main() -> int:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", nargs="?")
    parser.add_argument("date", nargs="?")
    parser.add_argument("--draft", action="store_true")
    given = parser.parse_args()
    try:
        if given.draft:
            print(section(ROOT / "changes", "next", "not yet"))
        elif given.version and given.date:
            release(ROOT / "CHANGELOG.md", ROOT / "changes", given.version, given.date)
        else:
            parser.error("give version and date, or --draft")
    except ChangelogError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
