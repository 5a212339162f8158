"""The gateway before schemathesis: what the published document says is what happens."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvloop
from hypothesis import given
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)
from tests.fakes.behaviour import behaviour_of
from tests.gateway.fuzz.stand import Sturdy, fuzzed
from tests.gateway.reports.stage import stage
from tests.gateway.world import KEY

from neocloud.ledger import Reader

FIELDS = {"authorization": f"Bearer {KEY}"}

NOT_OURS = [ignored_auth, positive_data_acceptance, negative_data_rejection]
"""Checks that are not made: the key that is sent is not the generated one, and what an engine makes
of a message without a role is for the engine to say."""


class Living:
    """A gateway that listens, in a loop and thread of its own.

    Attributes:
        url: where it listens.
        asked: requests that reached the upstream, once it has ended.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve()))
        self.url = ""
        self.asked = 0

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        upstream = Sturdy(behaviour_of("TOKENS=2"))
        await upstream.listen()
        try:
            async with stage(self._folder, upstream) as up:
                self.url = "http://{}:{}".format(*up.server.address)
                self._ready.set()
                await self._over.wait()
        finally:
            self._ready.set()
            await upstream.close()
        self.asked = upstream.count.totals.requests

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(30)
        assert self.url, "it did not start"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)


@contextmanager
def living(folder: Path) -> Iterator[Living]:
    up = Living(folder)
    up.start()
    try:
        yield up
    finally:
        up.stop()


def _document(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url + "/openapi.json", timeout=30) as answer:
        document: dict[str, Any] = json.load(answer)
    return document


def _whole(value: Any) -> Any:
    """Whole numbers written as such: for a schema 3.0 is one, for most readers it is not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    return value


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=str)
def test_what_the_document_says_is_what_happens(
    tmp_path: Path, mode: schemathesis.GenerationMode
) -> None:
    with living(tmp_path) as up:
        schema = schemathesis.openapi.from_dict(_document(up.url))
        count = 0
        for found in schema.get_all_operations():
            operation = found.ok()
            count += 1
            if mode is schemathesis.GenerationMode.NEGATIVE and operation.method == "get":
                continue  # nothing in it can be wrong

            @fuzzed(20)
            @given(case=operation.as_strategy(generation_mode=mode))
            def test(case: schemathesis.Case) -> None:
                case.body = _whole(case.body)
                if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
                    case.body["model"] = "m"  # the document does not name what only keys may see
                case.call_and_validate(base_url=up.url, headers=FIELDS, excluded_checks=NOT_OURS)

            test()
        assert count >= 11
    assert len(list(Reader(tmp_path / "ledger.db").usage())) == up.asked
    assert mode is schemathesis.GenerationMode.NEGATIVE or up.asked > 50


def test_what_asks_for_a_key_asks_for_a_good_one(tmp_path: Path) -> None:
    with living(tmp_path) as up:
        keyed = 0
        for path, methods in _document(up.url)["paths"].items():
            for method, said in methods.items():
                for fields in ({}, {"authorization": "Bearer wrong"}, {"x-api-key": "wrong"}):
                    where = up.url + path.replace("{model}", "m")
                    body = b'{"model":"m"}' if method == "post" else None
                    status = _status(urllib.request.Request(where, body, fields))
                    assert (status == 401) == bool(said["security"])
                keyed += bool(said["security"])
        assert keyed == 7


def _status(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
