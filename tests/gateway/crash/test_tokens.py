"""What is billed of an answer that was broken off, by what the engine had told by then."""

from __future__ import annotations

import pytest

from neocloud.gateway.apis.api import Asked, Usage
from neocloud.gateway.apis.messages.native import AnthropicEvents
from neocloud.gateway.requests.tokens import so_far

_START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"x","content":[],'
    b'"usage":{"input_tokens":90,"output_tokens":1}}}\n\n'
)
_TEXT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"word "}}\n\n'
)


@pytest.mark.parametrize(("limit", "output"), [(0, 5), (40, 5), (3, 3)])
def test_an_engine_that_told_of_the_prompt_alone_is_not_believed_on_the_answer(
    limit: int, output: int
) -> None:
    stream = AnthropicEvents(Asked(model="m", prompt=b"", stream=True))
    for piece in (_START, *[_TEXT] * 5):
        stream.feed(piece)
    assert stream.usage is not None
    assert not stream.counted
    assert so_far(stream, stream.usage, limit) == Usage(90, 0, output)
