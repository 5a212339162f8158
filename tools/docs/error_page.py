"""docs/reference/errors.md: every code with a wrong file and what the loader says to it."""

from __future__ import annotations

from difflib import SequenceMatcher
from pathlib import Path

import error_examples
import markdown

from neocloud.catalog import load_catalog
from neocloud.spec import CODES, Problem, SpecError, load_cloud, parse_cloud

_INTRO = """\
Every verb that reads a cloud file checks all of it first and tells all mistakes at once, each as

    FILE:LINE:COLUMN: CODE what is wrong. What to do.

and ends with exit status 2. `neocloud validate --json` gives the same as JSON. E1xx concern the
file on its own, E2xx what it refers to, in itself or in the catalog. The examples below are lines
of a small right file with one mistake each; the messages are what comes of them."""


def render() -> str:
    """The whole page."""
    parts = [_INTRO]
    for code, told in CODES.items():
        parts += [f"## {code}: {told.meaning}", told.remedy]
        if code == "E100":
            parts.append(markdown.block(str(_unreadable())))
            continue
        text = error_examples.wrong(code)
        parts += [
            markdown.block(_changed_lines(text), "yaml"),
            markdown.block(str(_problem(text, code))),
        ]
    return markdown.page("Mistakes in a cloud file", *parts)


def _unreadable() -> Problem:
    try:
        load_cloud(Path("no-such-cloud.yaml"), load_catalog())
    except SpecError as error:
        return error.problems[0]
    raise SystemExit("a file that is not there was read")


def _problem(text: str, code: str) -> Problem:
    """The one problem of a wrong file."""
    try:
        parse_cloud(text, "cloud.yaml", load_catalog())
    except SpecError as error:
        if [problem.code for problem in error.problems] == [code]:
            return error.problems[0]
        raise SystemExit(f"the example of {code} gives {error}") from None
    raise SystemExit(f"the example of {code} has no mistake")


def _changed_lines(text: str) -> str:
    """Lines of a wrong file that the right one does not have, each with its number."""
    lines = text.splitlines()
    matcher = SequenceMatcher(None, error_examples.RIGHT.splitlines(), lines, autojunk=False)
    shown: list[str] = []
    for tag, _, _, start, end in matcher.get_opcodes():
        if tag == "equal":
            continue
        shown += [f"{lines[number]}  # line {number + 1}" for number in range(start, end)]
    return "\n".join(shown)
