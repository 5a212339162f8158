"""The report finds a disturbance that it is not told of; the books of that run add up."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from neocloud.books import Invoice, PriceBook, Report, price_version, rate_event
from neocloud.catalog import load_catalog
from neocloud.finance.board import Document
from neocloud.ledger import Reader, UsageEvent
from neocloud.spec import load_cloud
from neocloud.units import PICO

from .running import METROS, MODELS, neocloud, planned, send, up

pytestmark = pytest.mark.slow

SLOWDOWN = 1.25
POINTS = 0.02
"""What the report may be off by: two points of the tokens that an accelerator serves."""


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run whose engines took 1.25 times as long a step as modelled."""
    folder = tmp_path_factory.mktemp("disturbed")
    planned(folder)
    with up(folder, SLOWDOWN) as address:
        sent = send(folder, address, seconds=14.0, per_s=10.0, seed=7)
    events = list(usage(folder))
    assert len(events) == sent.requests
    assert sum(e.output_tokens for e in events) == sent.output_tokens
    return folder


def usage(folder: Path) -> Iterator[UsageEvent]:
    return Reader(folder / "ledger.db").usage()


def report(folder: Path) -> Report:
    told = neocloud(folder, "report", "cloud.yaml", "--part", "tiers", "--json")
    found = msgspec.json.decode(told, type=Document).tiers
    assert found is not None
    return found


def test_the_report_names_efficiency_and_the_size_of_a_slowdown(disturbed):
    found = report(disturbed)
    assert {c.model for c in found.models} == set(MODELS)
    for c in found.models:
        assert c.capacity_change == pytest.approx(1.0 / SLOWDOWN - 1.0, abs=POINTS), c.findings
        assert c.findings[0].startswith("efficiency: steps took")
        assert c.bridge is not None
        adds = {step.cause: step.adds for step in c.bridge.steps}
        assert adds["efficiency"] > 0.0


def test_without_a_disturbance_the_report_finds_none(tmp_path):
    planned(tmp_path)
    with up(tmp_path) as address:
        send(tmp_path, address, seconds=8.0, per_s=10.0, seed=8)
    found = report(tmp_path)
    assert {c.model for c in found.models} == set(MODELS)
    for c in found.models:
        assert c.step_time_factor == pytest.approx(1.0, abs=POINTS), c.findings
        assert c.findings[0].startswith("efficiency: as planned")


def test_the_lines_of_the_invoices_are_the_rated_events(disturbed):
    cloud = load_cloud(disturbed / "cloud.yaml", load_catalog())
    prices = PriceBook(current=price_version(cloud))
    billed = 0
    for tenant in METROS:
        printed = neocloud(disturbed, "invoice", "cloud.yaml", "--tenant", tenant, "--json")
        invoice = msgspec.json.decode(printed, type=Invoice)
        mine = [e for e in usage(disturbed) if e.tenant == tenant]
        rated = sum(rate_event(e, prices).pico for e in mine)
        assert rated > 0
        assert sum(line.exact for line in invoice.lines) == Decimal(rated) / PICO
        assert sum(line.quantity or 0 for line in invoice.lines) == sum(
            e.input_tokens + e.output_tokens for e in mine
        )
        assert sum(line.amount for line in invoice.lines) == invoice.subtotal
        billed += invoice.requests.total
    assert billed == len(list(usage(disturbed)))


def test_the_picture_of_the_report_is_a_whole_png(disturbed):
    neocloud(disturbed, "report", "cloud.yaml", "--picture", "report.png")
    width, height, pixels = decoded_png((disturbed / "report.png").read_bytes())
    assert width > 1000
    assert height > 600
    assert len(set(pixels)) > 50  # something is drawn


def decoded_png(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and filtered rows of a PNG whose every chunk and row is whole."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, []
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        (told,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert told == zlib.crc32(kind + body)
        chunks.append((kind, body))
        at += 12 + length
    assert chunks[0][0] == b"IHDR"
    assert chunks[-1] == (b"IEND", b"")
    width, height, bits, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    channels = {0: 1, 2: 3, 6: 4}[colour]
    pixels = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    assert len(pixels) == height * (1 + width * channels * bits // 8)
    return width, height, pixels
