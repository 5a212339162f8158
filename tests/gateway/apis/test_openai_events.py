"""What passes of an engine's stream, and what is read of it."""

from __future__ import annotations

import json

import pytest

from neocloud.gateway.apis.api import Usage
from neocloud.gateway.apis.event_stream import MAX_EVENT_BYTES
from neocloud.gateway.apis.openai.events import OpenAIEvents
from neocloud.gateway.apis.openai.usage import usage_of_body

from .openai_streams import COUNTED, DONE, END, PLACES, SHARED, USAGE, Seen, chunk, data, own


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("spaced", [True, False])
@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_report_08_usage_is_found_in_any_position(
    place: str, done: bool, spaced: bool, asks: bool
) -> None:
    events = [data(each, spaced=spaced) for each in PLACES[place]] + [DONE] * done
    seen = Seen(events, asks=asks)
    assert seen.stream.usage == COUNTED
    assert seen.stream.complete
    with_usage = [each for each in seen.payloads if each.get("usage") is not None]
    assert with_usage == ([own()] if asks else [])
    if asks:
        assert list(with_usage[0]) == list(own()), "fields stand in OpenAI's order"
    assert b'"choices": []' not in seen.before_end
    assert b'"choices":[]' not in seen.before_end
    text = "".join(c["delta"]["content"] for e in seen.payloads for c in e["choices"])
    assert text == "".join(
        c["delta"]["content"] for e in PLACES[place] for c in e.get("choices") or []
    )


@pytest.mark.parametrize("place", PLACES)
def test_report_08_streamed_equals_unstreamed_to_the_token(place: str) -> None:
    whole = {"id": "c", "choices": [{"message": {"content": "a b c"}}], "usage": USAGE}
    streamed = Seen([data(each) for each in PLACES[place]] + [DONE], asks=False).stream.usage
    assert streamed == usage_of_body(json.dumps(whole).encode())


@pytest.mark.parametrize("place", PLACES)
def test_report_09_one_usage_chunk_in_openais_shape_only_when_asked(place: str) -> None:
    events = [data(each) for each in PLACES[place]] + [DONE]
    asked = Seen(events, asks=True)
    expected = data(own()) + DONE
    assert asked.stream.held == expected, "the very bytes that OpenAI would send"
    assert asked.client.count(b'"choices":[]') == 1
    unasked = Seen(events, asks=False)
    assert unasked.stream.held == DONE
    assert b'"choices":[]' not in unasked.client, "empty choices crash clients that did not ask"


def test_the_engines_own_usage_chunk_passes_as_it_is() -> None:
    event = data({**own(), "timings": {"predicted_ms": 1.5}}, spaced=True)
    seen = Seen([data(chunk("a", "stop")), event, DONE], asks=True)
    assert seen.stream.held == event + DONE


def test_a_usage_that_is_none_is_no_count_and_no_chunk_without_choices() -> None:
    events = [data(chunk("a", "stop")), data(own({"tokens": 4})), DONE]
    assert Seen(events, asks=False).client == events[0] + DONE
    assert Seen(events, asks=False).stream.usage is None
    assert Seen(events, asks=True).client == b"".join(events)


def test_a_later_chunk_of_usage_wins_even_if_its_form_is_another() -> None:
    late = {**USAGE, "completion_tokens": 6, "total_tokens": 17}
    seen = Seen([data(own()), data(chunk("a", "stop", usage=late)), DONE], asks=True)
    assert seen.stream.usage == Usage(11, 8, 6, 3)
    assert seen.stream.held == data(own(late)) + DONE


def test_cached_tokens_are_never_more_than_prompt_tokens_nor_any_count_negative() -> None:
    odd = {
        "prompt_tokens": 4,
        "completion_tokens": -1,
        "prompt_tokens_details": {"cached_tokens": 9},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert Seen([data(own(odd)), DONE], asks=False).stream.usage == Usage(4, 4, 0, 0)


# several choices


def test_several_choices_are_whole_when_each_has_ended() -> None:
    events = [data(chunk("a", index=0)), data(chunk("b", "stop", 1))]
    assert not Seen(events, asks=False, answers=2).stream.complete
    assert not Seen([*events, data(chunk("", "stop", 1))], asks=False, answers=2).stream.complete
    assert Seen([*events, data(chunk("", "length", 0))], asks=False, answers=2).stream.complete


def test_a_cut_stream_of_several_choices_counts_each() -> None:
    """vLLM and SGLang tell the usage of one choice in mid-stream, and of all at the end."""
    events = []
    for words in range(1, 4):
        for index in range(2):
            told = {"prompt_tokens": 7, "completion_tokens": words, "total_tokens": 7 + words}
            events.append(data(chunk("w", None, index, usage=told)))
    seen = Seen(events[:-1], asks=False, answers=2)
    assert seen.stream.usage == Usage(7, 0, 5, 0)
    assert b"usage" not in seen.client
    whole = Seen(
        [*events, data(chunk("", "stop", 0)), data(chunk("", "stop", 1)), data(own()), DONE],
        asks=True, answers=2,
    )  # fmt: skip
    assert whole.stream.usage == COUNTED
    assert whole.stream.held == data(own()) + DONE


def test_a_cut_stream_of_several_prompts_counts_each_prompt_once() -> None:
    events = [
        data(chunk("w", None, index, usage={"prompt_tokens": tokens, "completion_tokens": 2}))
        for index, tokens in enumerate([10, 10, 20, 20])
    ]
    seen = Seen(events, asks=True, answers=4, prompts=2)
    assert seen.stream.usage == Usage(30, 0, 8, 0)


# how it ends


def test_done_after_an_error_in_the_stream_is_a_failure() -> None:
    error = b'data: {"error":{"message":"shut down","code":500}}\n\n'
    for asks in (True, False):
        seen = Seen([data(chunk("a")), error, DONE], asks=asks)
        assert seen.stream.failed
        assert not seen.stream.complete
        assert seen.client == data(chunk("a")) + error + DONE


@pytest.mark.parametrize(
    "error",
    [
        b'data: {"error": "overloaded"}\n\n',
        b'data: {"object":"error","message":"overloaded","code":503}\n\n',
        b'event: error\ndata: {"message":"overloaded"}\n\n',
        b'event:error\r\ndata: {"message":"overloaded"}\r\n\r\n',
        b'error: {"message":"overloaded"}\n\n',
        b'data: {"error":{"message":"\n\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":3},"error":{"message":"overloaded"}}\n\n',
    ],
)
def test_an_error_in_any_form_is_a_failure_and_reaches_the_client(error: bytes) -> None:
    seen = Seen([data(chunk("a", "stop")), error, DONE], asks=False)
    assert seen.stream.failed
    assert not seen.stream.complete
    assert error in seen.client


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_an_answer_that_the_engine_broke_off_is_a_failure(reason: str) -> None:
    for more in ({}, {"usage": USAGE}):
        seen = Seen([data(chunk("a")), data(chunk("", reason, **more)), DONE], asks=False)
        assert seen.stream.failed
        assert not seen.stream.complete


def test_no_error_is_none() -> None:
    seen = Seen([data(chunk("an error", error=None)), data(END), DONE], asks=False)
    assert not seen.stream.failed
    assert seen.stream.complete


def test_without_done_the_end_of_the_body_ends_the_answer() -> None:
    """As transformers ends it: usage inside the finish chunk, no `[DONE]`."""
    events = [data(chunk("a")), data(chunk("", "stop", usage=USAGE))]
    asked = Seen(events, asks=True)
    assert asked.stream.complete
    assert asked.stream.held == data(own())
    unasked = Seen(events, asks=False)
    assert unasked.stream.complete
    assert unasked.client == data(chunk("a")) + data(END)


def test_a_last_event_without_its_empty_line_is_read() -> None:
    cut = data(chunk("", "stop", usage=USAGE)).rstrip(b"\n")
    seen = Seen([data(chunk("a")), cut], asks=True)
    assert seen.stream.complete
    assert seen.stream.usage == COUNTED
    assert [each.get("usage") for each in seen.payloads] == [None, None, USAGE]


def test_a_stream_that_breaks_off_is_not_complete() -> None:
    seen = Seen([data(chunk("a")), data(chunk(" b"))[:40]], asks=True)
    assert not seen.stream.complete
    assert not seen.stream.failed
    assert seen.stream.held == b""


def test_the_end_waits_and_nothing_else() -> None:
    stream = OpenAIEvents(wants_usage=True)
    for event in (data(chunk("a")), data(END)):
        assert stream.feed(event) == event
        assert stream.held == b""
    assert stream.feed(data(own()) + DONE) == b""
    assert stream.held == data(own()) + DONE


# how it comes


def test_tokens_are_not_events() -> None:
    events = [data(chunk("a b c d")), data(chunk("")), data(END), data(own()), DONE]
    seen = Seen(events, asks=False)
    assert seen.stream.content_events == 1
    assert seen.stream.usage == COUNTED


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "refusal", "content"])
def test_all_that_is_generated_is_content(field: str) -> None:
    event = data({**SHARED, "choices": [{"index": 0, "delta": {"role": "assistant", field: "x"}}]})
    assert Seen([event], asks=False).stream.content_seen


def test_text_completions_and_arguments_are_content() -> None:
    text = data({**SHARED, "choices": [{"index": 0, "text": "x", "finish_reason": None}]})
    call = {"index": 0, "function": {"arguments": "{"}}
    tool = data({**SHARED, "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
    assert Seen([text, text, tool], asks=False).stream.content_events == 3


def test_comments_and_other_fields_pass() -> None:
    events = [
        b": keep-alive\n\n",
        b'event: message\nid: 7\ndata: {"choices":[{"index":0,"delta":{"content":"a"}}],"usage":'
        + json.dumps(USAGE).encode() + b"}\n\n",
        b": error, usage and [DONE] in a comment\n\n",
        data(END),
        DONE,
    ]  # fmt: skip
    seen = Seen(events, asks=False)
    assert seen.stream.usage == COUNTED
    assert seen.stream.complete
    assert seen.client.startswith(events[0] + b"event: message\nid: 7\ndata: {")
    assert events[2] in seen.client
    assert b"prompt_tokens" not in seen.client


def test_data_of_several_lines_is_one_payload() -> None:
    lines = json.dumps(chunk("", "stop", usage=USAGE), indent=1).splitlines()
    event = b"".join(b"data: " + line.encode() + b"\n" for line in lines) + b"\n"
    seen = Seen([data(chunk("a")), event, DONE], asks=True)
    assert seen.stream.usage == COUNTED
    assert seen.stream.complete
    assert seen.payloads == [chunk("a"), END, own()]
    reason = b'data: {"choices":[{"index":0,"finish_reason"\ndata: :"stop"}]}\n\n'
    assert Seen([reason], asks=False).stream.complete


def test_what_a_text_says_is_not_taken_for_what_the_engine_says() -> None:
    texts = [
        '"error"', "[DONE]", '","usage":{"prompt_tokens":999,"completion_tokens":999}}',
        '"finish_reason":"stop"', "data: [DONE]\n\n", "\\", '\\"}}],"usage":{', "}]}\n\n", '"',
        'a"},"finish_reason":"stop"}]}',
    ]  # fmt: skip
    events = [data(chunk(text)) for text in ["plain", *texts, "plain"]]
    for continuous in (False, True):
        sent = events
        if continuous:
            sent = [data(chunk(text, usage=USAGE)) for text in ["plain", *texts, "plain"]]
        seen = Seen(sent, asks=False)
        assert seen.client == b"".join(events)
        assert not seen.stream.failed
        assert not seen.stream.complete
        assert seen.stream.usage == (COUNTED if continuous else None)


def test_a_backslash_before_the_end_of_a_text_does_not_hide_what_follows() -> None:
    """Known by its beginning and end alone, the last would be taken for a text."""
    plain = data(chunk("a"))
    event = plain.replace(b'"a"', b'"a\\"')
    seen = Seen([plain, plain, event], asks=False)
    assert seen.stream.content_events == 3
    assert seen.client == plain * 2 + event


def test_several_events_in_one_piece_are_not_taken_for_one() -> None:
    plain = data(chunk("a"))
    stream = OpenAIEvents(wants_usage=False)
    stream.feed(plain)
    assert stream.feed(plain + data(own()) + plain) == plain * 2
    assert stream.usage == COUNTED
    assert stream.content_events == 3


def test_continuous_usage_is_taken_off_and_the_rest_is_untouched() -> None:
    told = [{**USAGE, "completion_tokens": n, "total_tokens": 11 + n} for n in range(3, 9)]
    stream = OpenAIEvents(wants_usage=False)
    for number, usage in enumerate(told):
        bare = chunk(f" w{number}")
        assert stream.feed(data({**bare, "usage": usage})) == data(bare)
        assert stream.usage == Usage(11, 8, usage["completion_tokens"], 3)
        assert stream.content_events == number + 1


def test_an_event_that_does_not_end_is_bounded_and_costs_no_more_than_its_bytes() -> None:
    stream = OpenAIEvents(wants_usage=False)
    piece = b"x" * 65536
    assert stream.feed(b'data: {"choices":[{"delta":{"content":"' + piece) == b""
    pieces = 0
    while not stream.oversized:
        assert stream.feed(piece) == b""
        pieces += 1
    assert pieces * len(piece) <= MAX_EVENT_BYTES
    whole = OpenAIEvents(wants_usage=False)
    text = "y" * (MAX_EVENT_BYTES // 2)
    event = data(chunk(text, "stop", usage=USAGE))
    out = b"".join(whole.feed(event[at : at + 65536]) for at in range(0, len(event), 65536))
    assert out == data(chunk(text, "stop"))
    assert not whole.oversized


def test_what_follows_the_end_is_bounded() -> None:
    stream = OpenAIEvents(wants_usage=False)
    stream.feed(DONE)
    while not stream.oversized:
        stream.feed(data(chunk("z" * 100_000)))
    assert len(stream.held) < MAX_EVENT_BYTES + 200_000
