"""`neocloud up` with a file that asks for all of it: traces, a meter, a reservation, a JSON log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from tests.gateway.observing.collector import collecting
from tests.gateway.observing.exposed import read, summed

from neocloud.activity import Purpose, total
from neocloud.ledger import Reader, metered_activity
from neocloud.units import Period

CLOUD = (Path(__file__).parents[1] / "cloud.yaml").read_text()
REQUESTS = 6


def command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "neocloud.cli.main", *words, str(folder / "cloud.yaml")]


def ask(url: str, *, stream: bool) -> None:
    message = {"role": "user", "content": "words that nobody else may see"}
    body = {"model": "llama-70b", "messages": [message], "max_tokens": 3, "stream": stream}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"authorization": "Bearer the-key"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.read()


@pytest.mark.slow
def test_a_file_that_asks_for_all_of_it(tmp_path: Path) -> None:
    begun = int(time.time()) // 60 * 60 - 1200
    lines = [f"{begun + 60 * minute},{1 + minute}" for minute in range(10)]
    (tmp_path / "meter.csv").write_text("\n".join(["time,kWh", *lines, ""]))
    with collecting() as collector:
        text = CLOUD.replace("nodes: 1,", "nodes: 4,").replace("capacity_mw: 0.1", "capacity_mw: 1")
        text = text.replace("    pue: 1.4\n", "    pue: 1.4\n    meter: {csv: meter.csv}\n")
        (tmp_path / "cloud.yaml").write_text(
            f"{text}\ngateway: {{traces: {collector.url}}}\ncontracts:\n"
            "  - {name: job, tenant: acme, accelerators: 8, start: 2026-01-01, term_months: 600, "
            "price: 2, purpose: backfill}\n"
        )
        subprocess.run(command(tmp_path, "plan", "--quiet"), check=True, capture_output=True)
        with (tmp_path / "log").open("w") as log:
            up = subprocess.Popen(
                [*command(tmp_path, "up"), "--verbose", "--log-format", "json",
                 "--listen", "127.0.0.1:0"],
                env={**os.environ, "NEOCLOUD_KEY": "the-key"}, stdout=subprocess.PIPE, stderr=log,
                text=True,
            )  # fmt: skip
            try:
                assert up.stdout is not None
                url = up.stdout.readline().removeprefix("listening on ").strip()
                for number in range(REQUESTS):
                    ask(url, stream=number % 2 == 0)
                with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:
                    page = read(answer.read())
                up.send_signal(signal.SIGTERM)
                assert up.wait(30) == 0
            finally:
                up.kill()
                up.communicate()
        spans = collector.spans
    assert summed(page, "neocloud_requests_total", emulated="true") == REQUESTS
    assert summed(page, "neocloud_connections") >= 1
    assert len([span for span in spans if span.name == "chat llama-70b"]) == REQUESTS
    text = (tmp_path / "log").read_text()
    assert "nobody else" not in text
    assert "the-key" not in text
    told = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert len([line for line in told if line["message"] == "request"]) == REQUESTS
    reader = Reader(tmp_path / "ledger.db")
    holders = {a.holder: (a.purpose, a.accelerators) for a in reader.allocation()}
    assert holders["frankfurt/h100-sxm/contract/job"] == (Purpose.BACKFILL, 8)
    assert sum(number for _, number in holders.values()) == 32
    everything = Period(begun * 10**9, time.time_ns())
    rows = metered_activity(
        reader.usage(), reader.allocation(), reader.energy(), everything, lambda _: True
    )
    # All that draws is emulated here: what the meter told belongs to nobody.
    assert total(row for row in rows if not row.emulated).energy_kwh == pytest.approx(
        sum(range(2, 11))
    )
    assert total(rows).requests == REQUESTS
