"""What clients saw, what the upstream gave, and what the ledger says: they must agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.gateway.crash.load import Asked, Given

from neocloud.ledger import LedgerPlace, Reader, Status, UsageEvent

ENDED_WELL = frozenset({Status.COMPLETED, Status.INTERRUPTED, Status.ABORTED})


class Verdict:
    """The ledger beside what clients saw; what must always hold is held when it is made.

    Every answer that a client saw whole has its event, completed, with the engine's own counts;
    no event is there twice, and none is open; whatever a client saw begin is on record.

    Attributes:
        events: by request id.
        whole: requests that were answered to their end, by request id.
        surplus: events of which no client saw the end.
        most_sent: how often the upstream was asked the same thing at the most.
    """

    def __init__(self, where: LedgerPlace, asked: Sequence[Asked], given: Given) -> None:
        reader = Reader(where)
        events = list(reader.usage())
        self.events = {event.request_id: event for event in events}
        assert len(self.events) == len(events), "an event is there twice"
        assert not list(reader.open_requests()), "a request stays open"
        found = [each for each in asked if each.whole]
        self.whole = {each.taker.request_id: each for each in found}
        assert len(self.whole) == len(found), "two answers have one id"
        for request_id, each in self.whole.items():
            _as_the_engine_says(self.events[request_id], each, given)
        self.surplus = [e for e in events if e.request_id not in self.whole]
        for each in asked:  # begun answers were admitted, durably, before their first byte
            if each.taker.status == 200:
                assert each.taker.request_id in self.events
        self.most_sent = max(given.times.values())

    @property
    def interrupted(self) -> list[UsageEvent]:
        """Events that a start after a crash wrote."""
        return [e for e in self.surplus if e.status is Status.INTERRUPTED]

    def statuses(self) -> Counter[Status]:
        """How the requests ended."""
        return Counter(event.status for event in self.events.values())


def _as_the_engine_says(event: UsageEvent, asked: Asked, given: Given) -> None:
    row = given.rows[asked.tag]
    assert row.outcome == "whole"
    assert event.status is Status.COMPLETED
    assert (event.input_tokens, event.cached_tokens, event.output_tokens) == (
        row.prompt_tokens, row.cached_tokens, row.completion_tokens,
    )  # fmt: skip
    assert not event.estimated
    assert (event.api, event.streamed) == (asked.api, asked.stream)
