"""CHANGELOG.md and the fragments in changes/ have their form; a release is put together right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .tree import ROOT, load_tool

changelog = load_tool("changelog")


def test_fragments_have_their_form() -> None:
    found = changelog.fragments(ROOT / "changes")
    for paths in found.values():
        for path in paths:
            text = path.read_text()
            assert text.strip().endswith("."), f"{path.name}: whole sentences"
            assert not text.startswith(("#", "-", "*")), f"{path.name}: no heading, no list mark"


def test_changelog_has_its_form() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text().splitlines()
    assert lines[0] == "# Changelog"
    heads = [line for line in lines if line.startswith("#")][1:]
    dates = []
    for head in heads:
        release = re.fullmatch(r"## \d+\.\d+\.\d+ - (\d{4}-\d{2}-\d{2})", head)
        if release:
            dates.append(release[1])
        else:
            assert dates, f"{head}: stands under no release"
            assert re.fullmatch(r"### (Added|Changed|Fixed|Removed)", head), head
    assert dates == sorted(dates, reverse=True), "newest first"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    changes = tmp_path / "changes"
    changes.mkdir()
    (changes / "README.md").write_text("how\n")
    (changes / "b-thing.added.md").write_text("A second thing,\nand more of it.\n")
    (changes / "a-thing.added.md").write_text("A first thing.\n")
    (changes / "c-thing.fixed.md").write_text("A mended thing.\n")
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\nText.\n\n## 0.1.0 - 2026-11-01\n\nOld.\n"
    )
    return tmp_path


def test_a_release_takes_the_fragments(folder: Path) -> None:
    changelog.release(folder / "CHANGELOG.md", folder / "changes", "0.2.0", "2026-12-01")
    assert (folder / "CHANGELOG.md").read_text() == (
        "# Changelog\n\nText.\n\n"
        "## 0.2.0 - 2026-12-01\n\n"
        "### Added\n\n- A first thing.\n- A second thing,\n  and more of it.\n\n"
        "### Fixed\n\n- A mended thing.\n\n"
        "## 0.1.0 - 2026-11-01\n\nOld.\n"
    )
    assert [p.name for p in (folder / "changes").iterdir()] == ["README.md"]


def test_the_first_release_needs_no_earlier_one(folder: Path) -> None:
    (folder / "CHANGELOG.md").write_text("# Changelog\n\nText.\n")
    changelog.release(folder / "CHANGELOG.md", folder / "changes", "0.2.0", "2026-12-01")
    assert (folder / "CHANGELOG.md").read_text().startswith("# Changelog\n\nText.\n\n## 0.2.0 - ")


@pytest.mark.parametrize(
    ("version", "date", "told"),
    [
        ("0.2", "2026-12-01", "is not a version"),
        ("0.2.0", "1 December", "is not a date"),
        ("0.1.0", "2026-12-01", "has 0.1.0 already"),
    ],
)
def test_what_cannot_be_released_is_told(folder: Path, version: str, date: str, told: str) -> None:
    before = (folder / "CHANGELOG.md").read_text()
    with pytest.raises(changelog.ChangelogError, match=told):
        changelog.release(folder / "CHANGELOG.md", folder / "changes", version, date)
    assert (folder / "CHANGELOG.md").read_text() == before
    assert len(list((folder / "changes").iterdir())) == 4


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [("what.md", "A.", "call it WHAT.KIND.md"), ("what.added.md", " \n", "is empty")],
)
def test_bad_fragments_are_told(folder: Path, name: str, text: str, told: str) -> None:
    (folder / "changes" / name).write_text(text)
    with pytest.raises(changelog.ChangelogError, match=told):
        changelog.section(folder / "changes", "0.2.0", "2026-12-01")


def test_nothing_to_release_is_told(tmp_path: Path) -> None:
    with pytest.raises(changelog.ChangelogError, match="nothing to release"):
        changelog.section(tmp_path, "0.2.0", "2026-12-01")
