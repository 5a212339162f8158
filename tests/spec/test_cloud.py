"""What a right file becomes: values, defaults, places, and the descriptions of its fields."""

from __future__ import annotations

import dataclasses
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from neocloud.catalog import load_catalog
from neocloud.spec import (
    Cloud,
    FixedLengths,
    Gateway,
    Planning,
    SpecError,
    described,
    load_cloud,
    summarise,
)

from .texts import EXAMPLE, REFERENCE, RIGHT, changed, read

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


def paths(record: type[Any], path: str = "") -> list[str]:
    """Paths of all fields, with NAME for a name of the file's own and [] for an item of a list."""
    found = []
    for field in described(record):
        own = f"{path}.{field.name}" if path else field.name
        found.append(own)
        for more, inner in field.kind.inner():
            found += paths(inner, own + more)
    return found


def test_the_reference_shows_every_field() -> None:
    cloud = load_cloud(REFERENCE, CATALOG)
    shown = set()
    for line in cloud.lines:
        place = line
        for section in ("sites", "models", "tenants", "accelerators"):
            for key in getattr(cloud, section):
                place = re.sub(rf"^{section}\.{re.escape(key)}(?=\.|$)", f"{section}.NAME", place)
        place = re.sub(r"^gateway\.remotes\.[^.]+", "gateway.remotes.NAME", place)
        shown.add(re.sub(r"\.[0-9]+(?=\.|$)", "[]", place))
    assert set(paths(Cloud)) - shown == set()


def test_fields_that_no_verb_uses_are_noted_once_a_kind() -> None:
    cloud = load_cloud(REFERENCE, CATALOG)
    later = {f"{path.rpartition('.')[2]}" for path in waiting(Cloud)}
    noted = [note.message for note in cloud.notes if "not used yet" in note.message]
    assert len(noted) == len(waiting(Cloud))
    for note in noted:
        assert note.split(":")[0].split()[0].rpartition(".")[2] in later
    assert read(RIGHT).notes == ()
    text = RIGHT.replace("nodes: 2}", "nodes: 2, fabric: roce}")
    assert text != RIGHT
    (note,) = read(text).notes
    assert str(note).endswith(".fabric: Checked, but not used yet: it is for `deploy`.")


def waiting(record: type[Any]) -> set[str]:
    """Fields that wait for their verb; those inside such a field are not told by themselves."""
    found = set()
    for field in described(record):
        if field.later:
            found.add(f"{record.__name__}.{field.name}")
        for _, inner in field.kind.inner():
            found |= waiting(inner)
    return found


def test_accelerators_of_the_file_stand_beside_the_catalogs() -> None:
    own = "accelerators: {own: {like: h100-sxm, memory_gb: 96}, h100-sxm: {tdp_w: 650}}\n"
    cloud = read(RIGHT.replace("h100-sxm", "own") + own)
    seen = cloud.seen(CATALOG)
    made, base = seen.accelerator("own"), CATALOG.accelerator("h100-sxm")
    assert (made.memory_bytes.value, made.memory_bytes.source) == (96e9, "cloud-file")
    back = dataclasses.replace(made, key=base.key, memory_bytes=base.memory_bytes, measured=True)
    assert (base.measured, made.measured, back) == (True, False, base)
    assert seen.accelerator("h100-sxm").tdp_w.value == 650
    assert CATALOG.accelerator("h100-sxm").tdp_w.value == 700, "the catalog itself stays"
    assert set(seen.accelerators) == {*CATALOG.accelerators, "own"}
    assert seen.content_hash == CATALOG.content_hash
    assert cloud.seen(seen) is seen
    assert read(RIGHT).seen(CATALOG) is CATALOG
    assert summarise(cloud, CATALOG).sites[0].pools[0].accelerator == "own"


def test_power_contracts_take_their_figures_from_their_kind_and_metro() -> None:
    contracts = """\
    power:
      - {kind: grid, usd_per_mwh: 89}
      - {kind: on_site, price_per_mwh: 0}
      - {kind: stranded_gas, usd_per_mwh: 20}
      - {kind: ppa, source: wind, price_per_mwh: 40, availability: 0.5}
      - {kind: ppa, usd_per_mwh: 60, carbon_g_per_kwh: 0, start: 2026-02-01, end: 2026-03-01}
"""
    grid, sun, gas, wind, agreed = read(changed((METRO, METRO + contracts))).sites["ashburn"].power
    assert grid.carbon_g_per_kwh == CATALOG.power("washington").carbon_g_per_kwh.value
    assert (sun.source, gas.source, wind.source, agreed.source) == ("solar", "gas", "wind", "grid")
    assert (sun.carbon_g_per_kwh, gas.carbon_g_per_kwh, wind.carbon_g_per_kwh) == (48, 505, 11)
    assert agreed.carbon_g_per_kwh == 0
    assert grid.availability == gas.availability == (1.0,) * 24
    assert sum(sun.availability) / 24 == pytest.approx(0.24, abs=1e-4)
    assert sun.availability[0] == sun.availability[23] == 0 < sun.availability[12] <= 1
    assert wind.availability == (0.5,) * 24
    assert (wind.price_per_mwh, wind.currency) == (Decimal(40), "USD")
    runs = [agreed.runs_on(date(2026, 2, 28)), agreed.runs_on(date(2026, 3, 1)), grid.runs_on(None)]
    assert runs == [True, False, True]


def test_a_power_ladder_holds_from_its_days_on() -> None:
    steps = """\
    power_ladder:
      - {date: 2026-01-01, active_mw: 1, contracted_mw: 3}
      - {date: 2026-07-01, active_mw: 2}
"""
    text = changed((METRO, METRO + steps))
    first, second = read(text).sites["ashburn"].power_ladder
    assert (first.connected_mw, first.contracted_mw, first.reserved_mw) == (1, 3, 3)
    assert (second.connected_mw, second.reserved_mw) == (2, 2)
    on = {
        day: read(f"{text}planning: {{date: {day}}}\n").active_mw("ashburn")
        for day in ("2025-12-31", "2026-01-01", "2026-06-30", "2026-07-01")
    }
    assert list(on.values()) == [0, 1, 1, 2]
    assert read(text).active_mw("ashburn") == 2
    assert read(RIGHT).active_mw("ashburn") is None


def test_dearer_before_cheaper_is_noted() -> None:
    two = "    power: [{usd_per_mwh: 90}, {eur_per_mwh: 40}]\n"
    text = changed(("    pools:\n", two + "    pools:\n"))
    (note,) = read(text + "exchange_rates: {EUR: 1.1}\n").notes
    assert "a later contract costs less than one before it" in note.message
    assert note.line == 5
