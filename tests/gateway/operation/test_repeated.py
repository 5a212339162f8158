"""`Idempotency-Key` among workers, and over a restart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fakes import upstream

from neocloud.ledger import Reader

from .house import CHAT, Answer, House, ask, chat, up


def repeated(house: House, times: int) -> list[Answer]:
    """The same request by as many clients at once, each on a connection of its own."""

    def one(_: int) -> Answer:
        return ask(house.url, CHAT, chat(), headers={"idempotency-key": "the same"})

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(one, range(times)))


def test_workers_serve_it_once_and_a_restart_changes_nothing(tmp_path: Path) -> None:
    with upstream.process("CHUNKS=3") as engine:
        words = ("--upstream", engine, "--workers", "2")
        with up(tmp_path, *words) as house:
            told = repeated(house, 16)
            assert sorted(answer.status for answer in told) == [200] + [409] * 15
            (served,) = (answer for answer in told if answer.status == 200)
            assert house.stop() == 0
        with up(tmp_path, *words) as house:
            for answer in repeated(house, 4):
                assert answer.status == 409
                assert served.headers["x-request-id"] in answer.json()["error"]["message"]
            assert house.stop() == 0
    (event,) = Reader(tmp_path / "usage.db").usage()
    assert event.request_id == served.headers["x-request-id"]
