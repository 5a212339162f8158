"""Report 6 (litellm 19163): an unrelated setting (`cache: false`) turns the buffer of spend off.

Ours: no setting of the file or the command line turns metering off. Where it cannot work the
gateway does not start, and says why; what a client sets does not turn it off either.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.upstream import process
from tests.gateway.world import KEY

from neocloud.ledger import Status

from .process import up
from .stage import Stage, before, body_of


def started(folder: Path, upstream: str, ledger: str) -> tuple[int, str]:
    """Status and words of a gateway that is not to come up; killed if it does."""
    done = subprocess.run(
        [
            sys.executable, "-m", "neocloud.cli.main", "up", "--upstream", upstream,
            "--listen", "127.0.0.1:0", "--ledger", ledger,
        ],
        cwd=folder, env={**os.environ, "NEOCLOUD_KEY": KEY}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_report_06_it_does_not_start_where_nothing_could_be_metered(tmp_path):
    # Fails if any of these comes up: `started` would run into its time limit.
    (tmp_path / "words.db").write_text("this is no ledger " * 100)
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "taken.db.segments").write_text("where the segments belong")
    with process() as upstream:
        for ledger, why in (
            ("sqlite:///words.db", "words.db"),
            ("sqlite:///folder.db", "folder.db"),
            ("sqlite:///taken.db", "taken.db.segments"),
        ):
            status, words = started(tmp_path, upstream, ledger)
            assert (status, why in words) == (2, True), words
            assert "listening" not in words
            assert "Traceback" not in words
        with up(tmp_path, upstream) as front:  # two gateways must not write one segment
            status, words = started(tmp_path, upstream, f"sqlite:///{front.ledger}")
            assert (status, "in use" in words) == (2, True), words
            assert front.page("/readyz")[0] == 200


@pytest.mark.parametrize(
    "options",
    [None, "null", "{}", '{"include_usage":false}', '{"include_usage":null}',
     '{"include_usage":false,"continuous_usage_stats":false}',
     '{"include_usage":true},"stream_options":{"include_usage":false}',
     '{"include_usage":true},"stream_options":null',
     '{"include_usage":false},"\\u0073tream_options":{"include_usage":false}'],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["vllm", "remote"])
def test_report_06_no_clients_setting_turns_usage_off(tmp_path, options, kind):
    # Fails if the client's own `stream_options` win: the fake tells usage only to who asks.
    async def test(up: Stage, upstream) -> None:
        body = body_of("chat", "CHUNKS=4 TOKENS=9 CACHED=1 a b", stream=True)
        if options is not None:
            body = body[:-1] + b', "stream_options": ' + options.encode() + b"}"
        answer = await up.post("chat", body)
        assert answer.body.endswith(b"data: [DONE]\n\n")
        (event,) = await up.settled(1)
        assert event.status is Status.COMPLETED
        assert not event.estimated
        assert (event.input_tokens, event.cached_tokens, event.output_tokens) == (5, 1, 9)
        asked = upstream.heard[-1].json()["stream_options"]
        assert asked["include_usage"] is True

    before(tmp_path, test, kind=kind)
