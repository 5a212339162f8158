"""A load tool of somebody else's before the gateway: its token counts beside the ledger's.

    make bench-aiperf

aiperf is installed into an environment of its own, below out/bench/venvs. It asks the gateway for
streams, then again with a share of the requests cancelled under way. For what it saw whole its
count, as the answers' usage tells it, must equal the ledger's; what it cancelled must stand there
as aborted; and the fake upstream, which counts for itself, must have counted as many.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers import install

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the tests' fake upstream

from tests.fakes.upstream import process  # noqa: E402
from tests.gateway.reports.process import Front, up  # noqa: E402

REQUIREMENT = "aiperf==0.13.0"
OUT = ROOT / "out" / "bench"
KEY = "the-key"  # of tests.gateway.world
RUN_S = 300
TOKENIZER = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
made = Tokenizer(models.BPE())
made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
made.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=512, special_tokens=["<s>", "</s>"],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
)
made.train_from_iterator(["a question of some words and the answer to it"] * 50, trainer)
PreTrainedTokenizerFast(
    tokenizer_object=made, bos_token="<s>", eos_token="</s>"
).save_pretrained(sys.argv[1])
"""


@dataclass(frozen=True)
class Counted:
    """Requests and tokens of one run, by one of those who count."""

    whole: int
    aborted: int
    input_tokens: int
    output_tokens: int

    def __str__(self) -> str:
        return (
            f"{self.whole:6} whole, {self.aborted:4} left, {self.input_tokens:8} in, "
            f"{self.output_tokens:8} out"
        )


def tokenizer(binaries: Path) -> Path:
    """A tokenizer of 512 tokens: aiperf makes its prompts with one, and would else fetch it."""
    folder = OUT / "tokenizer"
    if not (folder / "tokenizer.json").exists():
        subprocess.run([str(binaries / "python"), "-c", TOKENIZER, str(folder)], check=True)
    return folder


def ran(binaries: Path, front: Front, given: argparse.Namespace, *, cancelled: int) -> Counted:
    """Run aiperf once; what it counted. Output tokens only of answers that it saw whole."""
    folder = OUT / f"aiperf-{cancelled}"
    shutil.rmtree(folder, ignore_errors=True)
    command = [
        str(binaries / "aiperf"), "profile", "--model", "m", "--url", front.url,
        "--endpoint-type", "chat", "--streaming", "--api-key", KEY,
        "--concurrency", str(given.concurrency), "--request-count", str(given.requests),
        "--isl", "128", "--osl", "64", "--random-seed", "1",
        "--tokenizer", str(tokenizer(binaries)), "--use-server-token-count",
        "--ui", "none", "--no-gpu-telemetry", "--no-server-metrics",
        "--output-artifact-dir", str(folder),
    ]  # fmt: skip
    if cancelled:
        command += ["--request-cancellation-rate", str(cancelled)]
        command += ["--request-cancellation-delay", "0.05"]
    kept = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    done = subprocess.run(
        command, cwd=OUT, env=kept, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n", file=sys.stderr)
        raise SystemExit("aiperf failed")
    (path,) = folder.rglob("profile_export.jsonl")
    return counted(path)


def counted(path: Path) -> Counted:
    """The sums of aiperf's rows, one a request."""
    whole = aborted = inputs = outputs = 0
    for line in path.read_text().splitlines():
        row = json.loads(line)
        if row["metadata"].get("was_cancelled") or row.get("error"):
            aborted += 1
            continue
        metrics = row["metrics"]
        whole += 1
        inputs += int(value(metrics, "input_sequence_length"))
        outputs += int(value(metrics, "output_sequence_length"))
    return Counted(whole, aborted, inputs, outputs)


def value(metrics: dict[str, Any], name: str) -> float:
    return float(metrics[name]["value"])


def judged(front: Front, upstream: str, run: Counted, before: int) -> bool:
    """Print all three counts; True if they agree."""
    events = front.settled(before + run.whole + run.aborted)[before:]
    by_status = Counter(event.status.value for event in events)
    good = [event for event in events if event.status.value == "completed"]
    ledger = Counted(
        by_status["completed"],
        by_status["aborted"],
        sum(event.input_tokens for event in good),
        sum(event.output_tokens for event in good),
    )
    with urllib.request.urlopen(upstream + "/count") as answer:
        said = json.load(answer)
    fake = Counted(
        said["whole"], said["aborted"], said["whole_prompt_tokens"],
        said["whole_completion_tokens"],
    )  # fmt: skip
    for name, found in (("aiperf", run), ("ledger", ledger), ("upstream", fake)):
        print(f"  {name:9}{found}")
    spent = sum(event.output_tokens for event in events)
    print(f"  output of all, those left too: ledger {spent}, upstream {said['completion_tokens']}")
    estimated = sum(event.estimated for event in events)
    print(f"  events {len(events)}, statuses {dict(by_status)}, estimated {estimated}")
    # an engine counts an answer as whole that it wrote before it saw its client leave
    tokens = (run.input_tokens, run.output_tokens)
    return (
        (run.whole, *tokens) == (ledger.whole, ledger.input_tokens, ledger.output_tokens)
        and run.aborted == ledger.aborted
        and len(events) == said["requests"]
    )


def main() -> None:
    """Run both loads; status 1 if the counts differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--cancelled", type=int, default=30, help="percent of the second load")
    given = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    binaries = install("aiperf", (REQUIREMENT,), (), OUT / "venvs")
    agree = True
    with process("TOKENS=64 CHUNKS=40 PACE_MS=4 CACHED=16") as upstream:
        folder = OUT / "aiperf-gateway"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with up(folder, upstream) as front:
            for cancelled in (0, given.cancelled):
                before = len(front.usage())
                urllib.request.urlopen(
                    urllib.request.Request(upstream + "/reset", method="POST")
                ).close()
                run = ran(binaries, front, given, cancelled=cancelled)
                print(f"{given.requests} streams, {cancelled}% cancelled")
                agree = judged(front, upstream, run, before) and agree
    print("the counts agree" if agree else "THE COUNTS DIFFER")
    raise SystemExit(0 if agree else 1)


if __name__ == "__main__":
    main()
