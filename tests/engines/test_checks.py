"""`neocloud check` at llama.cpp itself, and at a server that does each thing wrong."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from neocloud.cli.main import cli
from neocloud.engines.checks import CHECKS
from neocloud.engines.llamacpp import LlamaCpp, LlamaOptions
from neocloud.wire import Exchange, serve

from .gguf_model import write_model

NAMES = [name for name, _, _ in CHECKS]
OPTIONAL = {name for name, required, _ in CHECKS if not required}
WORDS = ("red ", "green ", "blue ", "and ")


class Fake:
    """A sound server of the model `m`; `spoil` may change an answer or its events."""

    def __init__(self, spoil: Callable[[dict, dict], object] | None = None) -> None:
        self.spoil = spoil or (lambda _asked, _answer: None)
        self.models = ["m"]
        self.keys: set[bytes] = set()

    def __call__(self, exchange: Exchange) -> None:
        self.keys.add(exchange.headers.get(b"authorization", b""))
        if exchange.path == "/v1/models":
            body = json.dumps({"data": [{"id": name} for name in self.models]}).encode()
            exchange.respond(200, (), body)
            return
        asked = json.loads(exchange.body)
        answer = self.answer(asked)
        spoilt = self.spoil(asked, answer)
        if isinstance(spoilt, tuple):
            exchange.respond(*spoilt)
        elif asked.get("stream"):
            kind = answer.pop("kind", b"text/event-stream")
            exchange.respond(200, ((b"content-type", kind),), answer["body"])
        else:
            exchange.respond(200, (), json.dumps(answer).encode())

    def answer(self, asked: dict) -> dict:
        words = [WORDS[i % len(WORDS)] for i in range(min(asked["max_tokens"], 12))]
        text, reason = "".join(words), "length"
        for stop in asked.get("stop", ()):
            if stop in text:
                text, reason = text[: text.index(stop)], "stop"
        prompt = len(asked["messages"][0]["content"].split()) + 3
        many = asked.get("n", 1)
        usage = {"prompt_tokens": prompt, "completion_tokens": many * len(words),
                 "total_tokens": prompt + many * len(words)}  # fmt: skip
        if asked.get("stream"):
            return {"body": _sse(words, usage)}
        message: dict = {"role": "assistant", "content": text}
        if asked.get("tools"):
            call = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
            calls = [{"id": "1", "type": "function", "function": call}]
            message = {"role": "assistant", "content": None, "tool_calls": calls}
        if asked.get("response_format"):
            message["content"], reason = '{"colour": "red"}', "stop"
        choice = {"finish_reason": reason, "message": message}
        if asked.get("logprobs"):
            choice["logprobs"] = {"content": [{"token": w, "logprob": -0.1} for w in words]}
        choices = [{"index": i, **choice} for i in range(many)]
        return {"model": "m", "choices": choices, "usage": usage}


def _sse(words: list[str], usage: dict) -> bytes:
    events: list[dict] = [{"choices": [{"index": 0, "delta": {"content": w}}]} for w in words]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
    events.append({"choices": [], "usage": usage})
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


@contextmanager
def aside(main: Callable[[asyncio.Event, Callable[[str], None]], object]) -> Iterator[str]:
    """Run a server in a loop and thread of its own, for the verb has its own loop."""
    told: list[str] = []
    ready, ends = threading.Event(), []

    async def serving() -> None:
        end = asyncio.Event()
        ends.append((asyncio.get_running_loop(), end))

        def tell(url: str) -> None:
            told.append(url)
            ready.set()

        await main(end, tell)

    thread = threading.Thread(target=lambda: asyncio.run(serving()))
    thread.start()
    try:
        assert ready.wait(20)
        yield told[0]
    finally:
        loop, end = ends[0]
        loop.call_soon_threadsafe(end.set)
        thread.join()


@contextmanager
def fake(server: Fake) -> Iterator[str]:
    async def main(end: asyncio.Event, tell: Callable[[str], None]) -> None:
        listening = await serve(server, "127.0.0.1", 0)
        tell("http://{}:{}".format(*listening.address))
        await end.wait()
        await listening.close_gracefully(0)

    with aside(main) as url:
        yield url


def check(url: str, *more: str, **environment: str) -> tuple[int, dict]:
    arguments = ["check", "m", "--url", url, "--json", "--timeout", "20", *more]
    done = CliRunner(env=environment).invoke(cli, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout)


def failures(report: dict) -> dict[str, str]:
    return {c["name"]: c["detail"] for c in report["checks"] if c["outcome"] == "failed"}


def test_a_sound_server_passes_them_all_and_gets_the_key():
    server = Fake()
    with fake(server) as url:
        status, report = check(url, NEOCLOUD_KEY="sk-1")
        assert (status, failures(report), report["passed"]) == (0, {}, True)
        assert [c["name"] for c in report["checks"]] == NAMES
        assert {c["outcome"] for c in report["checks"]} == {"passed"}
        assert server.keys == {b"Bearer sk-1"}
        check(url, "--key-env", "OTHER", OTHER="sk-2", NEOCLOUD_KEY="sk-1")
        assert server.keys == {b"Bearer sk-1", b"Bearer sk-2"}


def _set(path: str, value: object) -> Callable[[dict, dict], None]:
    def spoil(asked: dict, answer: dict) -> None:
        if "body" in answer:
            return
        place: object = answer
        *way, last = path.split(".")
        for step in way:
            place = place[int(step) if step.isdecimal() else step]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value

    return spoil


def _refuse(field: str) -> Callable[[dict, dict], object]:
    body = b'{"error": {"message": "no such thing"}}'
    return lambda asked, _: (400, (), body) if field in asked else None


def _stream(old: bytes, new: bytes) -> Callable[[dict, dict], None]:
    def spoil(asked: dict, answer: dict) -> None:
        if "body" in answer:
            assert old in answer["body"]
            answer["body"] = answer["body"].replace(old, new)

    return spoil


def _kind(asked: dict, answer: dict) -> None:
    if "body" in answer:
        answer["kind"] = b"application/json"


def _ignore(field: str) -> Callable[[dict, dict], object]:
    def spoil(asked: dict, answer: dict) -> object:
        if field not in asked:
            return None
        without = {key: value for key, value in asked.items() if key != field}
        return 200, (), json.dumps(Fake().answer(without)).encode()

    return spoil


def _endless(asked: dict, answer: dict) -> None:
    """A limit of one token is not kept."""
    if asked["max_tokens"] == 1:
        answer["usage"]["completion_tokens"] = 9
        answer["usage"]["total_tokens"] += 8


def _cut(asked: dict, answer: dict) -> None:
    if "body" not in answer and answer["usage"]["prompt_tokens"] > 100:
        answer["usage"]["prompt_tokens"] = 100
        answer["usage"]["total_tokens"] = 100 + answer["usage"]["completion_tokens"]


def _arguments(asked: dict, answer: dict) -> None:
    if "tools" in asked:
        answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = "Oslo"


def _shape(content: str, reason: str = "stop") -> Callable[[dict, dict], None]:
    def spoil(asked: dict, answer: dict) -> None:
        if "response_format" in asked:
            answer["choices"][0]["message"]["content"] = content
            answer["choices"][0]["finish_reason"] = reason

    return spoil


DONE = b"data: [DONE]\n\n"
SPOILT = {
    # required: what fails, and how it is told
    "usage is missing": (_set("usage", None), "plain", "`usage`"),
    "usage does not add up": (_set("usage.total_tokens", 1), "plain", "does not add up"),
    "no content": (_set("choices.0.message.content", None), "plain", "neither content nor tool"),
    "no reason": (_set("choices.0.finish_reason", None), "plain", "`finish_reason`"),
    "wrong role": (_set("choices.0.message.role", "user"), "plain", "of 'user'"),
    "no choices": (_set("choices", []), "plain", "no choices"),
    "refuses streams": (_refuse("stream"), "stream", "answered 400: {\"error\""),
    "no usage in streams": (_stream(b'"usage"', b'"usages"'), "stream", "brings no usage"),
    "no end of streams": (_stream(DONE, b""), "stream", "does not end with [DONE]"),
    "no reason in streams": (_stream(b'"finish_reason"', b'"x"'), "stream", "why the answer ends"),
    # vLLM that is stopped: an error, then [DONE], status 200
    "error within": (_stream(DONE, b'data: {"error": {"code": 500}}\n\n' + DONE), "stream",
                     "an error within the stream"),
    "broken event": (_stream(b'{"choices": []', b'{"choices": ['), "stream", "event 13 is not"),
    "no stream at all": (_kind, "stream", "application/json: no stream"),
    "limit not kept": (_endless, "one-token", "9 generated tokens where 1 are allowed"),
    "stop not kept": (_ignore("stop"), "stop", "goes on past the stop sequence"),
    "long prompt cut": (_cut, "long", "are 100 prompt tokens"),
    # what a model may not be able to do
    "n ignored": (_ignore("n"), "several", "answers [0]"),
    "logprobs ignored": (_ignore("logprobs"), "logprobs", "brings none"),
    "tools refused": (_refuse("tools"), "tools", "answered 400"),
    "tools ignored": (_ignore("tools"), "tools", "is not called"),
    "arguments no JSON": (_arguments, "tools", "the arguments is not what it should be"),
    "schema refused": (_refuse("response_format"), "schema", "answered 400"),
    "schema ignored": (_shape("Red."), "schema", "the answer is not what it should be"),
    "other schema": (_shape('{"color": "red"}'), "schema", "not of the schema"),
    "schema without end": (_shape("   ", "length"), "schema", "did not end within 256"),
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILT)
def test_what_is_wrong_is_told_by_check_and_in_words(how):
    spoil, name, words = SPOILT[how]
    with fake(Fake(spoil)) as url:
        status, report = check(url)
    found = failures(report)
    assert words in found[name]
    assert status == (0 if set(found) <= OPTIONAL else 1)
    assert (name in OPTIONAL) == (status == 0)


def test_a_model_that_is_not_listed_and_a_server_that_is_not_there():
    server = Fake()
    server.models = ["other"]
    with fake(server) as url:
        status, report = check(url)
    assert (status, failures(report)) == (1, {"models": "lists other"})
    status, report = check(url)  # it is gone
    assert status == 1
    assert set(failures(report)) == set(NAMES)


def test_an_optional_check_can_be_required():
    with fake(Fake(_refuse("tools"))) as url:
        assert check(url)[0] == 0
        status, report = check(url, "--require", "tools", "--require", "schema")
        assert (status, report["passed"], set(failures(report))) == (1, False, {"tools"})


def test_the_table_names_what_failed_and_how():
    with fake(Fake(_refuse("tools"))) as url:
        done = CliRunner().invoke(cli, ["check", "m", "--url", url])
    assert done.exit_code == 0
    assert "9 of 10 passed; 1 failed, 0 of them must pass." in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.lstrip().startswith("tools")]
    assert "failed" in line
    assert "no such thing" in line


def test_one_cause_of_all_failures_is_told_once():
    done = CliRunner().invoke(cli, ["check", "m", "--url", "http://127.0.0.1:1"])
    assert done.exit_code == 1
    assert "0 of 10 passed; 10 failed, 6 of them must pass." in done.stdout
    assert done.stdout.count("cannot connect to 127.0.0.1:1") == 1
    assert done.stdout.count("as models") == 9


def test_the_gateway_of_a_cloud_file_is_asked(tmp_path):
    with fake(Fake()) as url:
        listen = url.removeprefix("http://").replace("127.0.0.1", "0.0.0.0")  # noqa: S104
        example = CliRunner().invoke(cli, ["init", str(tmp_path / "cloud.yaml")])
        assert example.exit_code == 0, example.output
        path = tmp_path / "cloud.yaml"
        text = "".join(
            line for line in path.read_text().splitlines(keepends=True) if "listen:" not in line
        )
        path.write_text(text + f'\ngateway: {{listen: "{listen}"}}\n')
        done = CliRunner().invoke(cli, ["check", "m", "--cloud", str(path), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["url"] == url


def test_a_url_that_is_none_is_wrong_input():
    done = CliRunner().invoke(cli, ["check", "m", "--url", "localhost:1"])
    assert done.exit_code != 0
    assert "--url: engine URL" in str(done.exception)


def test_llama_passes_all_but_what_a_random_model_cannot(tmp_path):
    model = write_model(tmp_path / "m.gguf")

    async def main(end: asyncio.Event, tell: Callable[[str], None]) -> None:
        options = LlamaOptions(threads=1, parallel=2, context=4096)
        async with LlamaCpp.start(model, options=options) as engine:
            tell(f"http://{engine.endpoint.address}")
            await end.wait()

    with aside(main) as url:
        status, report = check(url, "--long-words", "400")
    found = failures(report)
    # Noise calls no tool and may fill a schema's white space for ever; the rest is the server's.
    assert set(found) <= {"tools", "schema"}, found
    assert status == 0
    outcomes = {c["name"]: c["outcome"] for c in report["checks"]}
    assert all(outcomes[n] == "passed" for n in NAMES if n not in ("tools", "schema", "stop"))
