"""The pages hold what they promise: links, verbs, terms, and no unfinished business."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from neocloud.cli.main import cli

from .pages import anchors, blocks, links, pages, prose, spans, table_rows
from .tree import DOCS, ROOT, show

GENERATED = DOCS / "reference"
GLOSSARY = DOCS / "glossary.md"
EVERYDAY = Path(__file__).with_name("everyday.txt")


def problems_of_links(page: Path, text: str) -> list[str]:
    told = []
    for target in links(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists():
            told.append(f"{show(page)}: {target} is not there")
        elif anchor and anchor not in anchors(path.read_text()):
            told.append(f"{show(page)}: {target}: no heading of that name")
    return told


def commands(text: str) -> list[list[str]]:
    """Every `neocloud ...` of a page's code, as words."""
    lines = [
        re.sub(r"^\s*\$ ", "", line).strip()
        for block in blocks(text)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    found = []
    for line in [*lines, *spans(text)]:
        for part in re.split(r"\s(?:&&|\||;)\s", line):
            words = shlex.split(part, comments=True) if _balanced(part) else part.split()
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words and words[0] in {"neocloud", ".venv/bin/neocloud"}:
                found.append(words[1:])
    return found


def _balanced(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


def problems_of_command(words: list[str]) -> list[str]:
    """What is wrong with a command that a page shows; ellipses and names in capitals stand."""
    context = click.Context(cli)
    verb = next((w for w in words if not w.startswith("-")), None)
    if verb is None or verb in {"...", "VERB"}:
        known = {"--help", "-h", "--version", "..."}
        return [f"no option {w}" for w in words if w not in known and verb is None]
    if verb not in cli.list_commands(context):
        return [f"no verb {verb}"]
    command = cli.get_command(context, verb)
    assert command is not None
    options = {"--help", "-h"}
    todo: list[click.Command] = [command]
    while todo:
        one = todo.pop()
        options |= {name for p in one.params for name in (*p.opts, *p.secondary_opts)}
        if isinstance(one, click.Group):
            inner = click.Context(one)
            todo += [c for n in one.list_commands(inner) if (c := one.get_command(inner, n))]
    used = [w.partition("=")[0] for w in words if re.match(r"--?[a-z]", w)]
    return [f"{verb} has no option {option}" for option in used if option not in options]


def test_links_resolve() -> None:
    told = [t for page in pages() for t in problems_of_links(page, page.read_text())]
    assert not told, "\n".join(told)


def test_every_page_is_in_the_index() -> None:
    """From docs/README.md, or from the README.md of its folder, which is."""

    def linked(page: Path) -> set[Path]:
        names = (target.partition("#")[0] for target in links(page.read_text()))
        return {(page.parent / name).resolve() for name in names if name}

    index = DOCS / "README.md"
    reached = linked(index)
    for page in [p for p in reached if p.name == "README.md" and p != index]:
        reached |= linked(page)
    missing = [show(p) for p in sorted(DOCS.rglob("*.md")) if p != index and p not in reached]
    assert not missing, f"link from docs/README.md: {missing}"


def test_commands_on_the_pages_exist() -> None:
    told = [
        f"{show(page)}: neocloud {' '.join(words)}: {problem}"
        for page in pages()
        for words in commands(page.read_text())
        for problem in problems_of_command(words)
    ]
    assert not told, "\n".join(told)


def test_every_verb_is_documented() -> None:
    shown = {words[0] for page in pages() for words in commands(page.read_text()) if words}
    missing = [v for v in cli.list_commands(click.Context(cli)) if v not in shown]
    assert not missing, f"no page shows {missing}"


def test_glossary_is_in_order_and_whole() -> None:
    rows = table_rows(GLOSSARY.read_text(), "term", "meaning", "unit")
    terms = [term for term, _, _ in rows]
    assert terms == sorted(terms, key=str.lower)
    assert len(set(terms)) == len(terms)
    for term, meaning, _ in rows:
        assert re.fullmatch(r"[A-Z0-9`].*[^.]\.", meaning), f"{term}: one sentence, ended by a stop"
        assert not re.search(r"\. [A-Z]", meaning), f"{term}: one sentence, not two"


def test_abbreviations_are_in_the_glossary() -> None:
    known = set(EVERYDAY.read_text().split("\n"))
    for term, _, _ in table_rows(GLOSSARY.read_text(), "term", "meaning", "unit"):
        known |= set(re.findall(r"\w+", term))
    told = []
    for page in pages():
        if page.is_relative_to(GENERATED) or page.name == "CHANGELOG.md":
            continue
        text = re.sub(r"`[^`\n]+`|\]\([^)]*\)", " ", prose(page.read_text()))
        words = set(re.findall(r"(?<![\w.-])[A-Z]{2,6}(?![\w-]|\.\w)", text))
        told += [f"{show(page)}: {w} is not in docs/glossary.md" for w in sorted(words - known)]
    assert not told, "\n".join(told)


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    kinds = {".py", ".md", ".toml", ".yaml", ".txt", ".sql", ".c"}
    files = [p for p in ROOT.iterdir() if p.is_file()]
    for folder in ("src", "tests", "tools", "docs", "examples", "bench", "changes", ".ci"):
        files += [p for p in (ROOT / folder).rglob("*") if p.is_file()]
    told = [
        f"{show(path)}:{number}: {line.strip()}"
        for path in sorted(files)
        if path.suffix in kinds or path.name in {"Makefile", "run"}
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if later.search(line)
    ]
    assert not told, "do it, or file it:\n" + "\n".join(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a](gone.md)", "gone.md is not there"),
        ("![a](gone.png)", "gone.png is not there"),
        ("[a](#nowhere)", "no heading of that name"),
        ("# Some `where` else\n[a](#some-where)", "no heading of that name"),
    ],
)
def test_broken_links_are_told(tmp_path: Path, text: str, told: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    (problem,) = problems_of_links(page, text)
    assert told in problem


def test_good_links_pass(tmp_path: Path) -> None:
    text = "# Some `where`, else\n## A\n## A\n[a](#some-where-else) [b](#a-1) [c](page.md#a)\n"
    text += "[d](https://example.org/x) `[e](gone.md)`\n```\n[f](gone.md)\n```\n"
    page = tmp_path / "page.md"
    page.write_text(text)
    assert problems_of_links(page, text) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```sh\n$ neocloud fly me\n```", ["no verb fly"]),
        ("then `neocloud fly`", ["no verb fly"]),
        ("```\nX=1 neocloud plan \\\n  --fast cloud.yaml\n```", ["plan has no option --fast"]),
        ("`neocloud --fast`", ["no option --fast"]),
        ("```\nneocloud plan cloud.yaml --json | head\n```", []),
        ("`neocloud ...`, `neocloud`, `neocloud --version`", []),
    ],
)
def test_commands_are_checked(text: str, told: list[str]) -> None:
    assert [p for words in commands(text) for p in problems_of_command(words)] == told
