"""Tool calls of chat streams as Anthropic's blocks, however engines mix and name them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from .messages_script import DONE, call, delta, finish, read, text, translated, usage


def test_tool_calls_one_after_the_other_pass_piece_by_piece() -> None:
    stream, out = translated(
        text("so"),
        call(0, id="call_a", name="f"),
        call(0, '{"x": "}'),
        call(0, '{"}'),
        call(1, "{", id="call_b", name="g"),
    )
    assert [told["type"] for told in read(out).events].count("content_block_start") == 3
    more = stream.feed(call(1, '"y":1}'))
    assert json.loads(more.split(b"data: ")[1])["delta"]["partial_json"] == '"y":1}'
    out += more + stream.feed(finish("tool_calls") + usage() + DONE)
    whole = read(out + stream.held)
    assert whole.message["stop_reason"] == "tool_use"
    assert [(b["type"], b.get("id"), b.get("name"), b["json"]) for b in whole.blocks] == [
        ("text", None, None, ""),
        ("tool_use", "call_a", "f", '{"x": "}{"}'),
        ("tool_use", "call_b", "g", '{"y":1}'),
    ]
    assert whole.blocks[1]["input"] == {}


def test_calls_that_interleave_wait_no_longer_than_they_must() -> None:
    stream, out = translated(
        call(0, '{"a":', id="0", name="f"), call(1, '{"b":', id="1", name="g"), call(0, "1")
    )
    assert len(read(out).blocks) == 1
    closing = stream.feed(call(0, "}"))
    assert b'"id":"1"' in closing, "the second begins as the first is whole"
    out += closing
    out += stream.feed(call(1, "2}") + text("x") + finish("tool_calls") + DONE)
    whole = read(out + stream.held)
    assert [block["json"] or block.get("text") for block in whole.blocks] == [
        '{"a":1}', '{"b":2}', "x",
    ]  # fmt: skip


def test_a_call_without_arguments_and_one_cut_off() -> None:
    stream, out = translated(
        call(0, id="0", name="f"), call(1, '{"b', id="1", name="g"), finish("length"), DONE
    )
    whole = read(out + stream.held)
    assert [(block["name"], block["json"]) for block in whole.blocks] == [("f", ""), ("g", '{"b')]
    assert whole.message["stop_reason"] == "max_tokens"


def test_calls_of_engines_that_give_no_index_or_no_id_or_the_name_late() -> None:
    def bare(**fields: object) -> bytes:
        return delta(tool_calls=[fields])

    stream, out = translated(
        bare(id="a", function={"name": "f", "arguments": "{"}),
        bare(function={"arguments": "}"}),
        bare(id="b", function={"name": "g", "arguments": "{}"}),
        finish(),
        DONE,
    )
    blocks = read(out + stream.held).blocks
    assert [(b["id"], b["name"], b["json"]) for b in blocks] == [("a", "f", "{}"), ("b", "g", "{}")]
    stream, out = translated(
        call(0, "{}", id="a", name="f"), call(0, "{}", id="b", name="g"), finish(), DONE
    )
    assert [block["id"] for block in read(out + stream.held).blocks] == ["a", "b"]
    stream, out = translated(call(0, "{"), call(0, "}", name="f"), finish(), DONE)
    (block,) = read(out + stream.held).blocks
    assert (block["name"], block["json"]) == ("f", "{}")
    assert block["id"].startswith("toolu_")


def test_a_call_that_goes_on_after_it_was_closed_is_an_error() -> None:
    stream, out = translated(
        call(0, "{}", id="0", name="f"), text("x"), call(0, " "), call(0, "{}"), finish(), DONE
    )
    assert stream.failed
    assert read(out + stream.held).error is not None


ARGUMENTS = st.dictionaries(
    st.text(max_size=3), st.one_of(st.text(max_size=5), st.integers(), st.none()), max_size=3
)


@given(st.lists(ARGUMENTS, min_size=1, max_size=4), st.data())
def test_however_calls_interleave_each_arrives_whole(
    arguments: list[dict[str, object]], data: st.DataObject
) -> None:
    """Any merge of the calls' pieces, as long as each call's own stay in order."""
    texts = [json.dumps(each, ensure_ascii=data.draw(st.booleans())) for each in arguments]
    left = [
        [call(0)] + [each[place : place + 2] for place in range(0, len(each), 2)] for each in texts
    ]
    events = []
    while any(left):
        index = data.draw(st.sampled_from([place for place, rest in enumerate(left) if rest]))
        piece = left[index].pop(0)
        if isinstance(piece, bytes):
            events.append(call(index, id=f"call_{index}", name=f"f{index}"))
        else:
            events.append(call(index, piece))
    stream, out = translated(*events, finish("tool_calls"), DONE)
    whole = read(out + stream.held)
    assert whole.stopped
    assert {b["id"]: json.loads(b["json"]) for b in whole.blocks} == {
        f"call_{index}": each for index, each in enumerate(arguments)
    }
