"""Tokens and lengths: what stands for what, and what is drawn."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neocloud.engines.emulated.lengths import AnswerLengths
from neocloud.engines.emulated.requests import read_chat
from neocloud.engines.emulated.speech import sentence, stopped
from neocloud.engines.emulated.tokens import (
    FOREIGN_SENTENCE,
    SENTENCE,
    answer_text,
    prefix_ids,
    seed_of,
    tokens_of,
)
from neocloud.planner import lengths_of

from .world import cloud

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
ROLES = st.sampled_from(["system", "user", "assistant", "tool", "a role with a very long name"])
TURNS = st.lists(st.tuples(ROLES, TEXTS), min_size=1, max_size=4)


def asked(turns: list[tuple[str, str]]) -> bytes:
    messages = [{"role": role, "content": content} for role, content in turns]
    return read_chat(json.dumps({"model": "m", "messages": messages}).encode()).prompt


@given(TURNS)
def test_a_prompt_is_four_bytes_a_token_and_four_tokens_a_message(turns):
    content = sum(-(-len(text.encode()) // 4) for _, text in turns)
    assert tokens_of(asked(turns)) == content + 4 * len(turns) + 4


@given(TURNS, TURNS, st.integers(1, 300), st.integers(1, 8))
def test_a_next_turn_begins_with_all_blocks_of_prompt_and_answer(turns, more, answer, block):
    prompt = asked(turns)
    ids = prefix_ids(prompt + answer_text(answer), block)
    said = answer_text(answer).decode()
    following = asked([*turns, ("assistant", said), *more])
    assert len(ids) == (tokens_of(prompt) + answer) // block
    assert prefix_ids(following, block)[: len(ids)].tolist() == ids.tolist()


@given(st.binary(min_size=64, max_size=256), st.integers(0, 255), st.integers(1, 255))
def test_a_changed_byte_changes_its_block_and_all_after_it_and_none_before(text, place, change):
    place %= len(text) // 4 * 4
    other = bytearray(text)
    other[place] ^= change
    one, two = prefix_ids(text, 4), prefix_ids(bytes(other), 4)
    same = (one == two).tolist()
    block = place // 16
    assert all(same[:block])
    assert not any(same[block:])


@given(st.integers(0, 500))
def test_an_answer_is_its_pieces(tokens):
    speech = sentence(tokens)
    text = b"".join(speech.said(i, i + 1) for i in range(tokens))
    assert text == speech.laid_out == answer_text(tokens) == speech.said(0, tokens)
    assert json.loads(b'"%b"' % text) == text.decode("ascii")


def is_whole(text: bytes) -> bool:
    return text.decode(errors="ignore").encode() == text


@given(st.integers(1, 200), st.data())
def test_tokens_that_end_within_a_letter_say_it_with_the_next(tokens, data):
    speech = sentence(tokens, foreign=True)
    cuts = data.draw(st.sets(st.integers(1, tokens)).map(lambda c: sorted({*c, 0, tokens})))
    parts = [speech.said(a, b) for a, b in pairwise(cuts)]
    said = json.loads(b'"%b"' % b"".join(parts))
    whole = answer_text(tokens, FOREIGN_SENTENCE)
    told = max(end for end in range(0, len(whole) + 1, 4) if is_whole(whole[:end]))
    assert said == whole[:told].decode()
    assert len(whole) == 4 * tokens
    assert len(FOREIGN_SENTENCE) % 4 == len(SENTENCE) % 4 == 0
    assert b"" in sentence(len(FOREIGN_SENTENCE) // 4, foreign=True).pieces


@given(st.integers(1, 120), st.sampled_from(["emulated", "o", "stand", "no such", " ", "d"]))
def test_a_stop_word_ends_the_answer_with_the_token_that_completes_it(tokens, word):
    speech = sentence(tokens)
    text = speech.laid_out.decode()
    found = stopped(speech, ["never there", word], told=False)
    if word not in text:
        assert found is None
        return
    cut, which = found
    assert which == word
    assert cut.said(0, cut.tokens).decode() == text[: text.index(word)]
    end = text.index(word) + len(word)
    assert 4 * (cut.tokens - 1) < end <= 4 * cut.tokens
    told, _ = stopped(speech, [word], told=True)
    assert told.said(0, told.tokens).decode() == text[:end]


@given(st.binary(min_size=64, max_size=256), st.text(min_size=1), st.text(min_size=1))
def test_blocks_of_another_salt_are_others(laid_out, salt, other):
    plain = prefix_ids(laid_out, 4).tolist()
    own = prefix_ids(laid_out, 4, salt).tolist()
    assert own == prefix_ids(laid_out, 4, salt).tolist()
    assert not set(own) & set(plain)
    assert (own == prefix_ids(laid_out, 4, other).tolist()) == (salt == other)


def test_tool_calls_and_tools_are_part_of_the_prompt():
    call = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": None, "tool_calls": call}
    body = {"model": "m", "messages": [message], "tools": None}
    plain = tokens_of(read_chat(json.dumps(body).encode()).prompt)
    assert plain == 4 + -(-len(json.dumps(call)) // 4) + 4
    body["tools"] = [{"type": "function", "function": {"name": "f"}}]
    whole = tokens_of(read_chat(json.dumps(body).encode()).prompt)
    assert whole == plain + 4 + -(-len(json.dumps(body["tools"])) // 4)


def test_lengths_are_those_of_the_plans_demand():
    demand = lengths_of(*cloud(), "llama")
    drawn = AnswerLengths(demand)
    draws = np.array([drawn.at(seed_of(b"%d" % i, 0)) for i in range(20_000)])
    spread = np.sqrt(demand.output_tokens**2 @ demand.weight - demand.mean_output() ** 2)
    # Four standard errors: the draws are hashes, the same in every run.
    assert abs(draws.mean() - demand.mean_output()) < 4 * spread / np.sqrt(len(draws))
    assert set(draws.tolist()) <= set(np.rint(demand.output_tokens).astype(int).tolist())
    assert drawn.at(0.0) == demand.output_tokens.min()
    assert drawn.at(1.0) == demand.output_tokens.max()


def test_the_prompt_and_the_seed_decide_the_length():
    assert seed_of(b"a", 1) == seed_of(b"a", 1)
    values = {seed_of(text, seed) for text in (b"a", b"b") for seed in (0, 1, -1, 2**70 + 5)}
    assert len(values) == 8
    assert all(0 <= value < 1 for value in values)
