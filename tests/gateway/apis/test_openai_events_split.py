"""However the network cuts an engine's stream, the client gets the same, and so does the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.gateway.apis.api import Usage

from .openai_streams import COUNTED, DONE, PLACES, Seen, chunk, data, own

TEXTS = st.sampled_from(
    ["a", " word", "", "é", "日本", "\\", '"', "\n\n", "\r\n\r\n", "error", "[DONE]", '"usage":{']
)
USAGES = st.builds(
    lambda prompt, cached, output: {
        "prompt_tokens": prompt, "completion_tokens": output,
        "prompt_tokens_details": {"cached_tokens": cached},
    },
    st.integers(0, 99), st.integers(0, 99), st.integers(0, 99),
)  # fmt: skip
FINISHES = st.sampled_from([None, None, None, "stop", "length", "abort"])
PAYLOADS = st.one_of(
    st.builds(chunk, TEXTS),
    st.builds(lambda text, finish: chunk(text, finish, usage=None), TEXTS, FINISHES),
    st.builds(lambda text, usage: chunk(text, usage=usage), TEXTS, USAGES),
    st.builds(
        lambda text, finish, usage, index: chunk(text, finish, index, usage=usage),
        TEXTS, FINISHES, USAGES, st.integers(0, 1),
    ),
    st.builds(own, USAGES),
    st.builds(lambda text: {"error": {"message": text}}, TEXTS),
)  # fmt: skip
RAW = st.sampled_from(
    [
        b": ping\n\n", b"\n", b"\r\n", b"\n\n", DONE, b"data: [DONE]\r\n\r\n", b"data:[DONE]\n\n",
        b"event: error\ndata: {}\n\n", b"data: \n\n", b"data: {\n\n", b"data\n\n",
        b'data: {"choices":\ndata: [{"finish_reason":\ndata: "stop"}]}\n\n',
    ]
)  # fmt: skip


@st.composite
def events(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()) and draw(st.booleans()):
        return draw(RAW)
    event = data(draw(PAYLOADS), spaced=draw(st.booleans()))
    return event.replace(b"\n", b"\r\n") if draw(st.integers(0, 5)) == 0 else event


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    body = b"".join(draw(st.lists(events(), max_size=12)))
    ending = draw(st.sampled_from([DONE, DONE, b"", b"data: [DONE]", b'data: {"cho']))
    return body + ending


def split(body: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    return [body[a:b] for a, b in pairwise(places)]


@given(body=bodies(), asks=st.booleans(), answers=st.integers(1, 2), draw=st.data())
def test_any_splitting_gives_the_same(
    body: bytes, asks: bool, answers: int, draw: st.DataObject
) -> None:
    at_once = Seen([body], asks=asks, answers=answers)
    bytewise = Seen([body[n : n + 1] for n in range(len(body))], asks=asks, answers=answers)
    assert bytewise.told == at_once.told
    by_event = [e + b"\n\n" for e in body.split(b"\n\n")[:-1]] + [body.split(b"\n\n")[-1]]
    assert Seen(by_event, asks=asks, answers=answers).told == at_once.told
    cuts = draw.draw(st.lists(st.integers(0, len(body)), max_size=6))
    assert Seen(split(body, cuts), asks=asks, answers=answers).told == at_once.told


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("asks", [True, False])
def test_every_single_cut_gives_the_same(asks: bool, ending: str) -> None:
    parts = [b": ping\n\n", *map(data, PLACES["cumulative, then its own"]), DONE]
    body = b"".join(parts).replace(b"\n", ending.encode())
    at_once = Seen([body], asks=asks)
    assert at_once.stream.usage == COUNTED
    assert at_once.stream.complete
    for cut in range(len(body) + 1):
        assert Seen([body[:cut], body[cut:]], asks=asks).told == at_once.told, cut


@given(payloads_sent=st.lists(PAYLOADS, max_size=10), asks=st.booleans())
def test_the_client_gets_what_a_plain_reading_says(
    payloads_sent: list[dict[str, Any]], asks: bool
) -> None:
    seen = Seen([data(each) for each in payloads_sent] + [DONE], asks=asks)
    told = [each["usage"] for each in payloads_sent if each.get("usage")]
    expected = [
        {name: value for name, value in each.items() if name != "usage" or value is None}
        for each in payloads_sent
        if not (each.get("usage") and not each["choices"])
    ]
    failed = any(
        "error" in each or any(c["finish_reason"] == "abort" for c in each["choices"])
        for each in payloads_sent
    )
    got = seen.payloads
    if asks and told and (not failed or not payloads_sent_last_has_choices(payloads_sent)):
        assert got.pop()["usage"] == told[-1]
    assert got == expected
    assert seen.stream.failed == failed
    if told:
        prompt, output = told[-1]["prompt_tokens"], told[-1]["completion_tokens"]
        cached = min(prompt, told[-1]["prompt_tokens_details"]["cached_tokens"])
        assert seen.stream.usage == Usage(prompt, cached, output)
    else:
        assert seen.stream.usage is None


def payloads_sent_last_has_choices(sent: list[dict[str, Any]]) -> bool:
    """True if the last usage stood beside choices; after a failure no chunk is made of it."""
    return [bool(each["choices"]) for each in sent if each.get("usage")][-1]
