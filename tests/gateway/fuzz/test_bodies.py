"""Bodies of every kind: the engine's business or the client's fault, never ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.fuzz.stand import Stand, fuzzed, request
from tests.gateway.reports.stage import PATHS, body_of

_FIELDS = (
    "model", "messages", "prompt", "input", "stream", "stream_options", "max_tokens", "n",
    "best_of", "max_completion_tokens", "max_output_tokens", "tools", "tool_choice", "system",
    "stop", "stop_sequences", "thinking", "instructions", "text", "response_format", "reasoning",
    "store", "previous_response_id", "include", "encoding_format", "dimensions", "cache_salt",
    "extra_key",
    "metadata", "temperature", "top_p", "logprobs", "user", "background", "conversation",
)  # fmt: skip
_TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
_NUMBERS = st.one_of(
    st.integers(-3, 10),
    st.sampled_from([2**31, 2**53, 2**63, 2**64, -(2**63), 10**400, 1e308, 0.5, -0.0]),
)
_PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "input_text", "image_url", "image", "tool_use", "tool_result",
                              "thinking", "input_audio", "file", "nothing"])},
    optional={
        "text": _TEXT, "image_url": st.one_of(_TEXT, st.fixed_dictionaries({"url": _TEXT})),
        "source": st.dictionaries(st.sampled_from(["type", "url", "data", "media_type"]), _TEXT),
        "content": _TEXT, "id": _TEXT, "name": _TEXT, "input": st.none() | _TEXT, "file": _TEXT,
        "tool_use_id": _TEXT,
    },
)  # fmt: skip
_TURNS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool", "developer", "nobody"])},
        optional={"content": st.none() | _TEXT | st.lists(_PARTS, max_size=3), "name": _TEXT,
                  "type": _TEXT, "tool_calls": st.lists(st.dictionaries(_TEXT, _TEXT), max_size=2)},
    ),
    max_size=3,
)  # fmt: skip
_ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXT, st.just("m")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_VALUES = st.one_of(_ANY, _TURNS, st.lists(_PARTS, max_size=3))


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with Stand(tmp_path) as stand:
        yield stand


def test_fields_of_any_value_are_no_fault_of_ours(stand: Stand) -> None:
    @fuzzed(400)
    @given(
        st.sampled_from(sorted(PATHS)),
        st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=4),
        st.booleans(),
    )
    def test(api: str, fields: dict[str, object], stream: bool) -> None:
        said = {**json.loads(body_of(api, "one", limit=3)), **fields}
        if stream:
            said.setdefault("stream", True)
        body = json.dumps(said).encode()
        heard = stand.talk(request("POST", PATHS[api], body))
        assert len(heard.answers) == 1
        assert heard.statuses[0] in (200, 400, 404, 413, 422)

    test()


_DEEP = {
    "arrays": b"[" * 200_000,
    "closed arrays": b"[" * 200_000 + b"]" * 200_000,
    "objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a number": b"9" * 300_000,
    "a string": b'"' + b"\\u0041" * 50_000 + b'"',
    "spaces": b" " * 500_000 + b"1",
    "1000 deep": b"[" * 900 + b"]" * 900,
    "many fields": b"{" + b",".join(b'"k%d":1' % n for n in range(50_000)) + b"}",
}
_PLACES = {
    "all of it": b"%b",
    "a field": b'{"model":"m","messages":[],"prompt":"a","input":"a","max_tokens":1,"x":%b}',
    "a message": b'{"model":"m","messages":[{"role":"user","content":%b}],"prompt":%b,"input":%b,'
    b'"max_tokens":1}',
    "the options": b'{"model":"m","stream":true,"messages":[],"prompt":"a","input":"a",'
    b'"stream_options":%b,"max_tokens":1,"tools":%b}',
    "the model": b'{"model":%b,"messages":[],"prompt":"a","input":"a","max_tokens":1}',
}


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("deep", _DEEP)
def test_depth_and_length_do_no_harm(stand: Stand, deep: str, place: str) -> None:
    for path in PATHS.values():
        body = _PLACES[place].replace(b"%b", _DEEP[deep])
        (status,) = stand.talk(request("POST", path, body)).statuses
        assert status in (200, 400, 404, 413, 422)


_ODD = {
    "invalid UTF-8": b'{"model":"m","messages":[{"role":"user","content":"\xff\xfe"}],'
    b'"prompt":"\xff","input":"\xff","max_tokens":1}',
    "invalid UTF-8 in a name": b'{"model":"m","\xff":1,"messages":[],"prompt":"","input":""}',
    "half a letter": b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}],'
    b'"prompt":"\\ud800","input":"\\ud800","max_tokens":1}',
    "half a letter as the model": b'{"model":"\\ud800","messages":[],"prompt":"","input":""}',
    "NUL": b'{"model":"m\\u0000","messages":[],"prompt":"","input":"","max_tokens":1}',
    "a raw NUL": b'{"model":"m\0","messages":[],"prompt":"","input":""}',
    "line breaks as the model": b'{"model":"m\\r\\nx-evil: 1\\r\\n\\r\\n","messages":[],'
    b'"prompt":"","input":"","max_tokens":1}',
    "byte order mark": b'\xef\xbb\xbf{"model":"m","messages":[],"prompt":"a","input":"a"}',
    "UTF-16": '{"model":"m","messages":[]}'.encode("utf-16"),
    "twice": b'{"model":"x","model":"m","stream":false,"stream":true,"messages":[],"prompt":"a",'
    b'"input":"a","max_tokens":1,"max_tokens":2}',
    "names in disguise": b'{"\\u006dodel":"m","\\u0073tream":true,"messages":[],"prompt":"a",'
    b'"input":"a","max_\\u0074okens":3}',
    "NaN": b'{"model":"m","messages":[],"prompt":"a","input":"a","max_tokens":NaN}',
    "Infinity": b'{"model":"m","messages":[],"prompt":"a","input":"a","temperature":Infinity}',
    "a list": b'[{"model":"m"}]',
    "null": b"null",
    "nothing": b"",
    "a form": b"model=m&messages=",
    "more behind it": b'{"model":"m","messages":[],"prompt":"a","input":"a","max_tokens":1}{}',
}


@pytest.mark.parametrize("odd", _ODD)
def test_what_is_hardly_json(stand: Stand, odd: str) -> None:
    for path in PATHS.values():
        heard = stand.talk(request("POST", path, _ODD[odd]), request("GET", "/healthz"))
        assert heard.statuses[0] in (200, 400, 404, 422)
        assert heard.statuses[1:] == [200]
