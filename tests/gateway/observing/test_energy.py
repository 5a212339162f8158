"""Meters of sites: tables that grow, servers that are asked, and what comes late or twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.world import run

from neocloud.gateway.metering.energy import (
    SETTLE_S,
    STEP_S,
    CsvMeter,
    EnergyMeters,
    Kept,
    Line,
    PrometheusMeter,
    meters_of,
    read_lines,
    spans_of,
)
from neocloud.ledger import EnergyEvent, Ledger, Reader
from neocloud.spec import load_cloud
from neocloud.units import SECOND_NS, format_utc, parse_utc
from neocloud.wire import Client, Exchange, serve

START_S = parse_utc("2026-10-05T13:00:00Z") // SECOND_NS
EXAMPLE = Path(__file__).parents[3] / "examples/reference/cloud.yaml"


def at(minute: int) -> str:
    return format_utc((START_S + 60 * minute) * SECOND_NS)


def now(minute: float) -> int:
    """So that what ended at that minute has settled."""
    return int((START_S + 60 * minute + SETTLE_S) * SECOND_NS)


class House:
    """Meters over a ledger; may be started again."""

    def __init__(self, folder: Path, *meters: CsvMeter | PrometheusMeter) -> None:
        self.folder = folder
        self.path = folder / "ledger.db"
        self.meters = meters

    @contextmanager
    def up(self) -> Iterator[EnergyMeters]:
        ledger = Ledger(self.path, worker=0, now_ns=time.time_ns(), deliver=lambda call: call())
        try:
            kept = Kept(ledger.folder.parent / "meters.json")
            yield EnergyMeters(self.meters, ledger, kept)
        finally:
            ledger.close()

    def look(self, *times_ns: int) -> None:
        async def test() -> None:
            client = Client()
            with self.up() as meters:
                for time_ns in times_ns:
                    await meters.look(client, time_ns)
            await client.close()

        run(test)

    def events(self) -> list[EnergyEvent]:
        return sorted(Reader(self.path).energy(), key=lambda e: e.end_ns)

    def kwh(self) -> list[float]:
        return [event.kwh for event in self.events()]


@pytest.fixture
def table(tmp_path: Path) -> tuple[House, Path]:
    path = tmp_path / "meter.csv"
    return House(tmp_path, CsvMeter(site="a", path=path)), path


def test_energy_from_line_to_line(table: tuple[House, Path]) -> None:
    house, path = table
    path.write_text(f"time,kWh,note\n{at(0)},9,begins\n{at(10)},1.5,\n\n{at(20)},2.5,x\n")
    house.look(now(20))
    first, second = house.events()
    assert (first.start_ns, first.end_ns) == (parse_utc(at(0)), parse_utc(at(10)))
    assert (first.kwh, second.kwh) == (1.5, 2.5)
    assert (first.site, first.pool, first.modelled, first.emulated) == ("a", "", False, False)
    assert first.event_id == f"a/meter@{first.end_ns}"


def test_power_and_unix_times(table: tuple[House, Path]) -> None:
    house, path = table
    path.write_text(f"W, time\n0,{START_S}\n60000,{START_S + 60}\n120000,{START_S + 120.0}\n")
    house.look(now(2))
    assert house.kwh() == [pytest.approx(1.0), pytest.approx(2.0)]


def test_lines_come_one_by_one_and_settle_first(table: tuple[House, Path]) -> None:
    house, path = table
    path.write_text(f"time,kWh\n{at(0)},0\n{at(1)},1\n")
    house.look(now(1) - 1)
    assert house.kwh() == []
    with path.open("a") as file:
        file.write(f"{at(2)},2\n{at(3)},3")  # the last is still being written
    house.look(now(1), now(3), now(3))
    assert house.kwh() == [1, 2]
    with path.open("a") as file:
        file.write("3\n")
    house.look(now(3))
    assert house.kwh() == [1, 2, 33]


def test_repeated_lines_and_restarts_count_once(table: tuple[House, Path]) -> None:
    house, path = table
    path.write_text(f"time,kWh\n{at(0)},0\n{at(1)},1\n{at(1)},1\n{at(2)},2\n{at(1)},1\n")
    for _ in range(3):
        house.look(now(2), now(2))
    assert house.kwh() == [1, 2]


def test_a_late_line_counts_also_after_a_restart(table: tuple[House, Path]) -> None:
    house, path = table
    path.write_text(f"time,kWh\n{at(0)},0\n{at(1)},1\n{at(3)},3\n")
    house.look(now(3))
    path.write_text(path.read_text() + f"{at(2)},2\n")
    house.look(now(4))
    assert sum(house.kwh()) == 6
    house.look(now(5))
    assert sum(house.kwh()) == 6


def test_a_late_power_is_not_counted_on_top(table: tuple[House, Path]) -> None:
    """Its time has its energy already: by the line that came before it was known."""
    house, path = table
    path.write_text(f"time,W\n{at(0)},0\n{at(60)},1000\n{at(180)},1000\n")
    house.look(now(180))
    assert sum(house.kwh()) == pytest.approx(3.0)
    path.write_text(path.read_text() + f"{at(120)},5000\n{at(240)},1000\n")
    house.look(now(240))
    house.look(now(240))
    assert sum(house.kwh()) == pytest.approx(4.0)


def test_a_power_that_paused_for_long_says_nothing_of_the_pause(
    table: tuple[House, Path],
) -> None:
    house, path = table
    path.write_text(f"time,W\n{at(0)},0\n{at(600)},1000\n{at(660)},1000\n")
    house.look(now(660))
    assert house.kwh() == [pytest.approx(1.0)]


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", "time,kWh\n", "time;kWh\n", "\x00\xff,kWh\n1,2\n", "time,kWh\nx,1\ny,2\n"],
)
def test_what_is_no_table_leaves_the_site_modelled(table: tuple[House, Path], text: str) -> None:
    house, path = table
    path.write_text(text)
    house.look(now(1))
    assert house.kwh() == []


def test_a_table_that_is_not_there_yet(table: tuple[House, Path]) -> None:
    house, path = table
    house.look(now(1))
    path.write_text(f"time,kWh\n{at(0)},0\n{at(1)},1\n")
    house.look(now(1))
    assert house.kwh() == [1]


def test_wrong_lines_are_passed_over(table: tuple[House, Path]) -> None:
    house, path = table
    path.write_text(
        f"time,kWh\n{at(0)},0\n{at(1)},-1\nnonsense\n{at(2)},inf\n{at(3)},nan\n{at(4)},\n"
        f"1e99,5\n{at(5)},1e30\n{at(6)},6\n"
    )
    house.look(now(6))
    (event,) = house.events()
    assert (event.kwh, event.start_ns) == (6, parse_utc(at(0)))


def test_a_long_table_is_read_from_its_end(
    table: tuple[House, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neocloud.gateway.metering.energy._TAIL_BYTES", 300)
    house, path = table
    path.write_text("time,kWh\n" + "".join(f"{at(n)},1\n" for n in range(1000)))
    house.look(now(999))
    assert 5 < len(house.kwh()) < 15
    assert house.events()[-1].end_ns == parse_utc(at(999))


@given(
    st.lists(st.tuples(st.integers(0, 500), st.floats(0, 1e4)), min_size=2, max_size=30),
    st.randoms(),
)
def test_energy_sums_up_whatever_the_order(lines: list[tuple[int, float]], chance) -> None:  # type: ignore[no-untyped-def]
    """Each line but the first in time counts once; the last told of a time holds."""
    told = dict(lines)
    rows = [f"{at(minute)},{kwh!r}" for minute, kwh in told.items()]
    chance.shuffle(rows)
    found, wrong = read_lines("\n".join(["time,kWh", *rows, *rows]))
    assert wrong == 0
    assert [line.time_ns for line in found] == sorted(line.time_ns for line in found)
    expected = sum(told.values()) - told[min(told)]
    assert sum(span.kwh for span in spans_of(found)) == pytest.approx(expected)


def test_spans_join() -> None:
    lines = [Line(0, 1.0, None), Line(5, 2.0, None), Line(9, 3.0, None)]
    assert [(s.start_ns, s.end_ns) for s in spans_of(lines)] == [(0, 5), (5, 9)]


class Server:
    """As much of Prometheus as is asked: power by second, of any number of series."""

    def __init__(self) -> None:
        self.series: list[dict[int, str]] = []
        self.status = 200
        self.asked: list[dict[str, str]] = []
        self.paths: list[str] = []

    def handle(self, exchange: Exchange) -> None:
        asked = {name: values[0] for name, values in parse_qs(exchange.query).items()}
        self.asked.append(asked)
        self.paths.append(exchange.path)
        wanted = range(int(asked["start"]), int(asked["end"]) + 1, int(asked["step"]))
        result = [
            {"metric": {"n": str(n)}, "values": [[at, each[at]] for at in wanted if at in each]}
            for n, each in enumerate(self.series)
        ]
        data = {"resultType": "matrix", "result": result}
        body = json.dumps({"status": "success", "data": data}).encode()
        exchange.respond(self.status, ((b"content-type", b"application/json"),), body)


def test_a_server_is_asked_for_power(tmp_path: Path) -> None:
    first_s = START_S // STEP_S * STEP_S
    prometheus = Server()
    prometheus.series = [
        {first_s + 60 * n: "60000" for n in range(20)},
        {first_s + 60 * n: "30000" for n in range(20)},
    ]
    query = 'sum by (rack) (power{site="a"}) & more'

    async def test() -> None:
        server = await serve(prometheus.handle, "127.0.0.1", 0)
        host, port = server.address
        meter = PrometheusMeter(site="a", url=f"http://{host}:{port}/prom/", query=query)
        client = Client()
        house = House(tmp_path, meter)
        with house.up() as meters:
            await meters.look(client, now(0))
            await meters.look(client, now(3))
            await meters.look(client, now(3))
            prometheus.status = 503
            await meters.look(client, now(4))
            prometheus.status = 200
        with house.up() as meters:  # after a restart it goes on where it was
            await meters.look(client, now(6))
            del prometheus.series[0][first_s + 60 * 7]
            prometheus.series[0][first_s + 60 * 8] = "NaN"
            await meters.look(client, now(9))
        await client.close()
        await server.close_gracefully(0)
        assert {asked["query"] for asked in prometheus.asked} == {query}
        assert set(prometheus.paths) == {"/prom/api/v1/query_range"}
        ends = [(event.end_ns // SECOND_NS - first_s) // 60 for event in house.events()]
        assert ends == [0, 1, 2, 3, 4, 5, 6, 9]
        assert all(event.kwh == pytest.approx(1.5) for event in house.events())
        assert all(e.end_ns - e.start_ns == STEP_S * SECOND_NS for e in house.events())

    run(test)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"status":"error"}', b"<html>", b'{"status":1}'])
def test_a_server_that_is_none(tmp_path: Path, body: bytes) -> None:
    async def test() -> None:
        server = await serve(lambda exchange: exchange.respond(200, (), body), "127.0.0.1", 0)
        host, port = server.address
        client = Client()
        house = House(tmp_path, PrometheusMeter(site="a", url=f"http://{host}:{port}", query="x"))
        with house.up() as meters:
            await meters.look(client, now(0))
        await client.close()
        await server.close_gracefully(0)
        assert house.kwh() == []

    run(test)


def test_meters_of_the_reference_file() -> None:
    from neocloud.catalog import load_catalog

    cloud = load_cloud(EXAMPLE, load_catalog())
    ashburn, frankfurt = meters_of(cloud, EXAMPLE.parent)
    assert isinstance(ashburn, CsvMeter)
    assert ashburn.path == EXAMPLE.parent / "meters/ashburn.csv"
    assert isinstance(frankfurt, PrometheusMeter)
    assert frankfurt.site == "frankfurt"
