"""Report 3 (litellm 6633): the upstream repeats an id, or gives none; later rows were lost.

Ours: the request's own id, made at admission, is the key of its event, whatever the engine says.
"""

from __future__ import annotations

import msgspec
import pytest

from .stage import STREAMING, Stage, before, body_of

COUNT = 30


@pytest.mark.parametrize("given", ["", "the-same"])
def test_report_03_an_upstream_that_repeats_one_id_loses_no_event(tmp_path, given):
    # Fails if the event takes the engine's id: all 120 have the same one.
    async def test(up: Stage, upstream) -> None:
        upstream.behaviour = msgspec.structs.replace(upstream.behaviour, id=given)
        answers = [
            await up.post(api, body_of(api, stream=number % 2 == 0))
            for api in STREAMING
            for number in range(COUNT)
        ]
        events = await up.settled(len(answers))
        assert [event.output_tokens for event in events] == [3] * len(answers)
        ids = {answer.headers[b"x-request-id"].decode() for answer in answers}
        assert {event.request_id for event in events} == ids
        assert len(ids) == len(answers) == upstream.count.totals.whole

    before(tmp_path, test)
