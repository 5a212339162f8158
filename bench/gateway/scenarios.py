"""What is asked of each gateway, and the request that asks it."""

from __future__ import annotations

import json
from dataclasses import dataclass

MODEL = "mock"
KEY = "sk-bench"
PROMPT = "All work and no play makes a dull demo. " * 25


@dataclass(frozen=True)
class Scenario:
    """One load, closed loop: each connection asks again when its answer is whole.

    Attributes:
        name: as in results and tables.
        connections: kept-alive connections, each with one request at a time.
        streamed: ask for the answer as server-sent events.
        chunks: of a streamed answer, one token each; the mock reads it in the prompt.
        pace_us: microseconds between the chunks of one answer; 0 sends them back to back.
        warm_up_s: not measured; connections start staggered over its first half.
        seconds: measured.
    """

    name: str
    connections: int
    streamed: bool
    chunks: int
    pace_us: int
    warm_up_s: float
    seconds: float

    def body(self) -> bytes:
        """The request: about 1 KiB of prompt, 64 tokens wanted."""
        asked: dict[str, object] = {"model": MODEL, "max_tokens": 64}
        steer = ""
        if self.streamed:
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
            steer = f"CHUNKS={self.chunks} PACE={self.pace_us} "
        asked["messages"] = [{"role": "user", "content": steer + PROMPT}]
        return json.dumps(asked, separators=(",", ":")).encode()


SCENARIOS = (
    Scenario("whole-1", 1, False, 0, 0, 0.5, 2.5),
    Scenario("whole-32", 32, False, 0, 0, 1.0, 3.0),
    Scenario("whole-128", 128, False, 0, 0, 1.0, 3.0),
    Scenario("burst-32", 32, True, 128, 0, 1.0, 3.0),
    Scenario("paced-200", 200, True, 300, 10_000, 3.0, 4.0),
    Scenario("open-9000", 9_000, True, 12, 2_000_000, 14.0, 6.0),
)
"""Whole answers on 1, 32 and 128 connections; streams back to back on 32; 200 streams with a token
every 10 ms, which is what engines really send; 9,000 open streams with a token every 2 s (a usual
limit of open files is 20,000)."""

REPLICAS = 20
"""Ports of the mock, each a replica to a gateway that routes."""
