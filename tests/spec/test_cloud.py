"""What a right file becomes: values, defaults, places, and the descriptions of its fields."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neocloud.catalog import load_catalog
from neocloud.spec import (
    Cloud,
    FixedLengths,
    Gateway,
    Planning,
    SpecError,
    cloud_schema,
    described,
    load_cloud,
    summarise,
)

from .texts import EXAMPLE, RIGHT, changed, problems, read

CATALOG = load_catalog()
NAME = "    name: Acme\n"
METRO = "    metro: washington\n"
RATE = "    requests_per_s: 5\n"
CONTRACT = "{usd_per_mwh: 89.20, capacity_mw: 1e-1, start: 2026-01-31}"
LENGTHS = "{input_tokens: 100, output_tokens: 20}"
TWIN = """\
  twin:
    config: openai/gpt-oss-20b
    objective: *o
    price_per_mtok: {input: 1, output: 1}
tenants:
"""


def test_values_are_read_exactly() -> None:
    cloud = read(
        changed(
            (METRO, METRO + f"    power: [{CONTRACT}]\n"),
            (RATE, f"    requests_per_s: 1e1\n    lengths: {LENGTHS}\n"),
            (NAME, "    name: no\n    tax_rate: 0.19\n"),
        )
        + "gateway: {max_body_bytes: 2 MiB}\nplanning: {tp: 4, batch: [1, 16]}\n"
    )
    (contract,) = cloud.sites["ashburn"].power
    assert contract.price_per_mwh == Decimal("89.2")
    assert (contract.capacity_mw, contract.start) == (0.1, date(2026, 1, 31))
    assert cloud.demand[0].requests_per_s == 10.0
    assert cloud.demand[0].lengths == FixedLengths(input_tokens=100.0, output_tokens=20.0)
    assert cloud.models["llama"].price_per_mtok.output == Decimal("0.20")
    assert cloud.tenants["acme"].name == "no", "a text is a text, whatever YAML makes of it"
    assert cloud.tenants["acme"].tax_rate == Decimal("0.19")
    assert cloud.gateway.max_body_bytes == 2 * 2**20
    assert (cloud.planning.tp, cloud.planning.batch) == ((4,), (1, 16))


def test_what_is_left_out_gets_its_default() -> None:
    cloud = read(RIGHT)
    site, model, tenant = cloud.sites["ashburn"], cloud.models["llama"], cloud.tenants["acme"]
    assert (cloud.currency, site.pue, site.pools[0].key) == ("USD", 1.25, "h100-sxm")
    catalog_price = CATALOG.power("washington").price_per_mwh.value
    assert [float(c.price_per_mwh) for c in site.power] == [catalog_price]
    assert model.precisions == ("bf16",)
    assert model.architecture.parameters == 8_030_261_248
    assert model.price_per_mtok.cached_input == model.price_per_mtok.input == Decimal("0.10")
    assert (tenant.currency, tenant.allowed_sites, tenant.allowed_models) == ("USD", None, None)
    assert cloud.demand[0].shape == "flat"
    assert cloud.demand[0].lengths == "azure-conv"
    assert (cloud.gateway, cloud.planning) == (Gateway(), Planning())


def test_tenants_may_be_left_out() -> None:
    cloud = read(changed(("tenants:\n  acme:\n    name: Acme\n", ""), ("    tenant: acme\n", "")))
    assert list(cloud.tenants) == ["default"]
    assert cloud.demand[0].tenant == "default"
    one = read(changed(("    tenant: acme\n", ""), (NAME, "")))
    assert one.demand[0].tenant == "acme"
    assert one.tenants["acme"].name == "acme"


@pytest.mark.parametrize(
    ("metros", "expected"),
    [
        ("chicago", {"chicago": 1.0}),
        ("[chicago, london]", {"chicago": 0.5, "london": 0.5}),
        ("{chicago: 0.25, london: 0.75}", {"chicago": 0.25, "london": 0.75}),
    ],
)
def test_forms_of_shares(metros: str, expected: dict[str, float]) -> None:
    assert dict(read(changed(("[new-york, chicago]", metros))).demand[0].metros) == expected


@pytest.mark.parametrize(
    "change", [("[new-york, chicago]", "internet-users"), ("    metros: [new-york, chicago]\n", "")]
)
def test_users_of_the_internet(change: tuple[str, str]) -> None:
    shares = read(changed(change)).demand[0].metros
    assert len(shares) == 40
    assert sum(shares.values()) == pytest.approx(1)
    users = [CATALOG.metro(key).internet_users for key in shares]
    assert users == sorted(users, reverse=True)


def test_a_price_in_euros_takes_the_rate_of_the_file() -> None:
    cloud = read(changed((METRO, "    metro: frankfurt\n")) + "exchange_rates: {EUR: 1.0824}\n")
    (contract,) = cloud.sites["ashburn"].power
    assert contract.currency == "EUR"
    assert cloud.rate("EUR") == Decimal("1.0824")
    assert cloud.rate("USD") == 1


def test_places_in_the_file() -> None:
    cloud = read(RIGHT)
    assert cloud.where("sites.ashburn.metro") == "cloud.yaml:4"
    assert cloud.where("sites.ashburn.pools.0.nodes") == "cloud.yaml:6"
    assert cloud.where("sites.ashburn.pue") == "cloud.yaml:3", "left out: where its site stands"
    assert cloud.where("sites.ashburn.power") == "cloud.yaml:4", "follows from the metro"
    assert cloud.where("models.llama.price_per_mtok.output") == "cloud.yaml:11"
    assert cloud.where("demand.0.requests_per_s") == "cloud.yaml:19"
    assert cloud.where("gateway.listen") == "cloud.yaml"
    assert cloud.where("") == "cloud.yaml"


def test_a_cloud_is_frozen_through_and_through() -> None:
    cloud = read(RIGHT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        cloud.name = "x"  # type: ignore[misc]
    for mapping in (cloud.sites, cloud.models, cloud.tenants, cloud.exchange_rates, cloud.lines):
        with pytest.raises(TypeError):
            mapping["x"] = None  # type: ignore[index]


def test_anchors_and_line_ends_change_nothing() -> None:
    anchored = changed(
        ("objective: {ttft_ms: 1000, tpot_ms: 40}", "objective: &o {ttft_ms: 1000, tpot_ms: 40}"),
        ("tenants:\n", TWIN),
    )
    cloud = read(anchored)
    assert cloud.models["twin"].objective == cloud.models["llama"].objective
    assert read(RIGHT.replace("\n", "\r\n")).sites == read(RIGHT).sites


def write(folder: Path, raw: bytes) -> Path:
    path = folder / "cloud.yaml"
    path.write_bytes(raw)
    return path


def test_paths_start_from_the_file_and_count_in_its_hash(tmp_path: Path) -> None:
    source = Path(EXAMPLE).parents[2] / "src/neocloud/catalog/data/configs"
    config = (source / "meta-llama__Meta-Llama-3.1-8B.json").read_text()
    (tmp_path / "config.json").write_text(config)
    text = changed(("meta-llama/Meta-Llama-3.1-8B", "config.json"))
    path = write(tmp_path, text.encode())
    first = load_cloud(path, CATALOG)
    assert first.models["llama"].architecture.parameters == 8_030_261_248
    assert load_cloud(path, CATALOG).content_hash == first.content_hash
    (tmp_path / "config.json").write_text(config.replace("14336", "14208"))
    assert load_cloud(path, CATALOG).content_hash != first.content_hash
    assert read(RIGHT).content_hash != read(RIGHT + "# a remark\n").content_hash


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"name: \xff", "is not UTF-8 text (byte 6). Save it as UTF-8."),
        (b"#" * 1_000_001, "the file is over 1,000,000 bytes"),
        (b"\xff" * 1_000_001, "the file is over 1,000,000 bytes"),
    ],
    ids=["binary", "large", "large binary"],
)
def test_unreadable_files_are_told(tmp_path: Path, raw: bytes, told: str) -> None:
    path = write(tmp_path, raw)
    with pytest.raises(SpecError) as caught:
        load_cloud(path, CATALOG)
    (problem,) = caught.value.problems
    assert problem.code == "E100"
    assert told in str(problem)
    assert str(problem).startswith(f"{path}: E100 ")


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    for path, told in ((tmp_path / "gone.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(SpecError, match=told):
            load_cloud(path, CATALOG)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert load_cloud(write(tmp_path, b"\xef\xbb\xbf" + RIGHT.encode()), CATALOG).name == "small"


def records(record: type[Any]) -> list[type[Any]]:
    inner = [r for field in described(record) for _, r in field.kind.inner()]
    return [record, *(found for one in inner for found in records(one))]


@pytest.mark.parametrize("record", records(Cloud), ids=lambda record: record.__name__)
def test_every_field_is_described(record: type[Any]) -> None:
    own = {field.name for field in dataclasses.fields(record)}
    for field in described(record):
        where = f"{record.__name__}.{field.name}"
        assert field.attribute in own
        assert field.meaning.endswith("."), where
        assert field.kind.label, where
        assert field.required or (field.default and field.origin), f"{where}: whence the default?"
        for unit in ("_ms", "_mw", "_usd", "per_mwh", "_bytes", "_years", "_tokens"):
            assert unit not in field.name or field.unit, f"{where} has no unit"


def test_the_summary_says_what_stands_there() -> None:
    found = summarise(read(RIGHT), CATALOG)
    (site,), (model,) = found.sites, found.models
    assert (found.accelerators, found.requests_per_s) == (16, 5.0)
    assert site.pools[0].node_power_kw == pytest.approx(2 * 10.2)
    assert site.full_power_kw == pytest.approx(2 * 10.2 * 1.25)
    assert site.contracted_kw is None
    assert site.price_per_mwh == ("89.2 USD",)
    assert (model.requests_per_s, model.tenants, model.metros) == (5.0, ("acme",), 2)
    two = read(changed((METRO, METRO + "    power:\n      - {usd_per_mwh: 50, capacity_mw: 0.01}\n"
                        "      - {usd_per_mwh: 100, capacity_mw: 0.02}\n")))  # fmt: skip
    (site,) = summarise(two, CATALOG).sites
    assert site.contracted_kw == pytest.approx(30)
    assert site.price_per_mwh == ("50 USD", "100 USD")


LINES = EXAMPLE.read_text().splitlines(keepends=True)
SCHEMA = jsonschema.Draft202012Validator(cloud_schema())
tokens = st.sampled_from(
    ["", " ", ":", "-", "[", "]", "{", "}", ",", "#", "&a ", "*a", "!!int ", "'", '"', "|", ">",
     "\t", "\n", "0", "-1", "1e999", "1e-999", ".inf", "null", "~", "yes", "frankfurt", "h100-sxm",
     "\u00e9", "\x00", "\ud800", "\U0001f600", "9" * 30, "<<: *a", "---", "%", "@", "`", "? "]
)  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """The example with some of its lines dropped, doubled, moved, or with text put in."""
    lines = list(LINES)
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
        cloud = read(text)
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
    if problems(text):
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
