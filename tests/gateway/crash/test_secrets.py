"""No prompt, no answer and no key reaches a disk or a log, whatever happens to a request."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from tests.fakes import upstream as fake
from tests.fakes.script import Script, Step
from tests.gateway.crash.front import Front
from tests.gateway.crash.load import PATHS, body_of
from tests.gateway.world import Taker, run, until

from neocloud.ledger import Reader, Status, keys_of, ledger_place
from neocloud.wire import Address, Client, Pool

PROMPT = "PROMPT-b91fd0c2e7"
ANSWER = "ANSWER-41c7a9e3f5" + "z" * 23
"""As long as what it stands for in the fake's answers: SIZE=40 makes each of them 40 letters x."""
FAULT = "FAULT77"
"""Likewise, in the words of an error."""
UPSTREAM_KEY = "upstream-secret-6d1e0a"
WORDS = (
    "", "STATUS=400", "STATUS=429", "STATUS=500", "FAULT=error-done", "FAULT=error-event",
    "FAULT=truncate", "FAULT=reset", "FAULT=bad-json", "FAULT=not-json", "FAULT=inject-lf",
    "FAULT=big-head", "FAULT=hang-up", "FAULT=error-200", "USAGE=bad", "FAULT=bad-chunk",
)  # fmt: skip


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake says the marks in place of its own words."""
    real = fake.script_of

    def script_of(*args: object) -> Script:
        script = real(*args)
        steps = [
            Step(
                step.data.replace(b"x" * 40, ANSWER.encode()).replace(b"as told", FAULT.encode()),
                step.tokens,
                step.wait_s,
            )
            for step in script.steps
        ]
        return Script(steps=tuple(steps), end=script.end, outcome=script.outcome)

    monkeypatch.setattr(fake, "script_of", script_of)


def _fields(key: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"authorization", b"Bearer " + key.encode()),
        (b"x-neocloud-explain", PROMPT.encode()),
        (b"user-agent", PROMPT.encode()),
        (b"traceparent", PROMPT.encode()),
        (b"x-request-id", PROMPT.encode()),
    )


async def _asked(pool: Pool, path: bytes, key: str, body: bytes, method: bytes = b"POST") -> Taker:
    taker = Taker()
    pool.request(method, path, taker, _fields(key), body)
    await taker.ended.wait()
    return taker


async def _every_way(pool: Pool, key: str) -> bytes:
    """Ask in every API, streamed and not, well and badly; all that came back."""
    heard = b""
    for api, path in PATHS.items():
        for stream in (False, True) if api != "embeddings" else (False,):
            for words in WORDS:
                fields = {"stream": True} if stream else {}
                text = f"{PROMPT} SIZE=40 CHUNKS=3 {words}"
                heard += (await _asked(pool, path, key, body_of(api, text, 9, **fields))).body
        for bad in (b"{", b'{"model": "%b"}', b'{"model": "m", "messages": "%b"}', b"\xff%b", b""):
            await _asked(pool, path, key, bad.replace(b"%b", PROMPT.encode()))
        gone = Taker()  # a client that leaves in the middle
        text = f"{PROMPT} SIZE=40 CHUNKS=50 PACE_MS=10"
        call = pool.request(b"POST", path, gone, _fields(key), body_of(api, text, 99, stream=True))
        if api != "embeddings":
            await gone.some.wait()
        call.abort()
    for target in (b"/v1/models/", b"/", b"/metrics?"):
        await _asked(pool, target + PROMPT.encode(), key, b"", b"GET")
    await _asked(pool, PATHS["chat"], "nc-000000000000-" + PROMPT, body_of("chat", PROMPT, 9))
    return heard


def _holds(folder: Path, mark: str) -> list[str]:
    """Files under a folder that hold these bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if mark.encode() in path.read_bytes()]


@pytest.mark.slow
def test_no_prompt_no_answer_and_no_key_reaches_a_disk_or_a_log(
    tmp_path: Path, marked: None
) -> None:
    place = ledger_place("sqlite:///usage.db", tmp_path)
    heard = []

    async def test() -> None:
        async with fake.running() as upstream:
            upstream.models = ("m",)
            front = Front(
                tmp_path, upstream.url, "sqlite:///usage.db",
                options=("--verbose", "--log-format", "json"),
                environment={"NEOCLOUD_UPSTREAM_KEY": UPSTREAM_KEY},
            )  # fmt: skip
            key, _ = await asyncio.to_thread(keys_of(place).create, "default", "", time.time_ns())
            keys.append(key)
            client = Client()
            try:
                heard.append(await _every_way(client.pool(await front.start()), key))
                # Killed with an answer on its way, of which some has come.
                taker = Taker()
                assert isinstance(front.address, Address)
                text = f"{PROMPT} SIZE=40 CHUNKS=90 PACE_MS=10"
                client.pool(front.address).request(
                    b"POST", PATHS["chat"], taker, _fields(key),
                    body_of("chat", text, 99, stream=True),
                )  # fmt: skip
                await until(lambda: ANSWER.encode() in taker.body)
                front.kill()
                heard.append(await _every_way(client.pool(await front.start()), key))
                assert await front.stop() == 0
            finally:
                front.kill()
                await client.close()

    keys: list[str] = []
    run(test, within_s=120)
    events = list(Reader(place).usage())
    assert {event.status for event in events} == set(Status)
    log = (tmp_path / "stderr").read_text()
    assert any(event.request_id in log for event in events), "it was to say what it does"
    assert all(mark.encode() in body for body in heard for mark in (ANSWER, FAULT))
    # What must be found is found: so nothing is missed by looking wrongly.
    assert _holds(tmp_path, keys[0].split("-")[1])
    assert _holds(tmp_path, "that a crash left open")
    for secret in (PROMPT, ANSWER, FAULT, keys[0], keys[0].rpartition("-")[2], UPSTREAM_KEY):
        assert not _holds(tmp_path, secret), secret
