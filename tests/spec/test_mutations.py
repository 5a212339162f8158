"""Examples, mutated at random: never a traceback; and the schema agrees with the loader."""

from __future__ import annotations

from datetime import date
from typing import Any

import jsonschema
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from neocloud.catalog import load_catalog
from neocloud.spec import SpecError, cloud_schema, summarise
from neocloud.spec.nodes import _build

from .texts import EXAMPLE, REFERENCE, RIGHT, read

CATALOG = load_catalog()
EXAMPLES = [path.read_text().splitlines(keepends=True) for path in (EXAMPLE, REFERENCE)]
SCHEMA = jsonschema.Draft202012Validator(cloud_schema())
tokens = st.sampled_from(
    ["", " ", ":", "-", "[", "]", "{", "}", ",", "#", "&a ", "*a", "!!int ", "'", '"', "|", ">",
     "\t", "\n", "0", "-1", "1e999", "1e-999", ".inf", "null", "~", "yes", "frankfurt", "h100-sxm",
     "\u00e9", "\x00", "\ud800", "\U0001f600", "9" * 30, "<<: *a", "---", "%", "@", "`", "? "]
)  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """An example with some of its lines dropped, doubled, moved, or with text put in."""
    lines = list(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(1, 4))):
        number = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["drop", "double", "swap", "insert", "cut", "replace"]))
        line = lines[number]
        at = draw(st.integers(0, len(line)))
        if kind == "drop":
            lines[number] = ""
        elif kind == "double":
            lines[number] = line * 2
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[number], lines[other] = lines[other], line
        elif kind == "insert":
            lines[number] = line[:at] + draw(tokens) + line[at:]
        elif kind == "cut":
            lines[number] = line[:at] + "\n"
        else:
            head = line.partition(":")[0]
            lines[number] = f"{head}: {draw(tokens)}\n"
    return "".join(lines)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutations())
def test_no_mutation_raises_anything_but_a_spec_error(text: str) -> None:
    try:
        cloud = read(text, REFERENCE.parent)
    except SpecError as error:
        lines = text.count("\n") + 1
        for problem in error.problems:
            assert 0 <= problem.line <= lines + 1
            assert problem.message
            assert str(problem).encode("utf-8"), "it can be printed"
    else:
        summarise(cloud, CATALOG)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutations())
def test_what_the_loader_takes_the_schema_takes(text: str) -> None:
    """Where a YAML reader sees the same values: no odd types, tags or keys."""
    try:
        read(text, REFERENCE.parent)
    except SpecError:
        return
    document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  (texts only)
    told = [error.message for error in SCHEMA.iter_errors(_numbers(document))]
    assert told == []


def _numbers(node: Any) -> Any:
    """Texts that read as numbers become numbers, as in a reader of YAML."""
    if isinstance(node, dict):
        return {key: _numbers(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_numbers(value) for value in node]
    try:
        return yaml.safe_load(node) if not isinstance(yaml.safe_load(node), date | bool) else node
    except yaml.YAMLError:
        return node


def test_the_reference_validates_by_the_schema() -> None:
    document = yaml.load(REFERENCE.read_text(), Loader=yaml.BaseLoader)  # noqa: S506
    assert [error.message for error in SCHEMA.iter_errors(_numbers(document))] == []


def test_both_parsers_of_yaml_see_the_same() -> None:
    for text in (EXAMPLE.read_text(), REFERENCE.read_text(), RIGHT.replace("\n", "\r\n")):
        assert _build(text, "f", yaml.CSafeLoader) == _build(text, "f", yaml.SafeLoader)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutations())
def test_both_parsers_see_the_same_in_what_both_take(text: str) -> None:
    assume("\t" not in text)  # which the two do not take alike; YAML has spaces between words
    trees = []
    for loader in (yaml.CSafeLoader, yaml.SafeLoader):
        try:
            trees.append(_build(text, "f", loader))
        except (yaml.YAMLError, UnicodeEncodeError):
            return
    assert trees[0] == trees[1]
