"""The whole way once: plan, run, load, stop, meter, bill and report the two-site cloud.

    python examples/two-sites/demo.py --out out/demo

Every step is a `neocloud` verb, run as a user would run it in the folder `--out`, and the load is
OpenAI's own client against the running gateway. The engines are emulated: the performance model's
step times pass on the clock, but no model runs.

It ends with exit status 1 if a step fails, a request fails, or the ledger's counts differ from the
clients'. However it ends, nothing that it started goes on running.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

# Both stand beside this file, where Python looks first for what a script imports.
from load import Counts, make_load, send
from service import Service, StepFailedError, neocloud, shown

from neocloud.ledger import Reader, Status

HERE = Path(__file__).resolve().parent
CLOUD, PLAN, PICTURE, PAGE, LOG = (
    "cloud.yaml", "plan.json", "report.png", "report.html", "up.log",
)  # fmt: skip
INVOICED, INVOICE = "rheingold", "invoice.html"
MADE = (
    CLOUD, PLAN, PICTURE, PAGE, LOG, "usage.txt", "invoice.txt", INVOICE, "report.txt",
    "finance.txt", "ledger.*",
)  # fmt: skip
"""What a run leaves in its folder; an earlier run's are removed, and nothing else is."""


def main() -> int:
    """Run the demo; its exit status."""
    arguments = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        return _demo(arguments.out, arguments.seconds, arguments.fraction, arguments.seed)
    except StepFailedError as failed:
        sys.stdout.flush()
        print(f"\ndemo: step '{failed.step}' failed: {failed}", file=sys.stderr)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the two-site example from plan to report.")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder of the results")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long requests are sent")
    parser.add_argument(
        "--fraction", type=float, default=0.04, help="share of the demand in cloud.yaml to send"
    )
    parser.add_argument("--seed", type=int, default=1, help="of arrivals, users and lengths")
    return parser.parse_args()


def _stop(number: int, frame: FrameType | None) -> None:
    """Leave by an exception, so that what was started is ended; once, as the end takes a moment."""
    del frame
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _demo(folder: Path, seconds: float, fraction: float, seed: int) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pattern in MADE:
            for old in folder.glob(pattern):
                if old.is_dir():  # segments of the ledger
                    shutil.rmtree(old)
                else:
                    old.unlink()
        shutil.copy(HERE / CLOUD, folder / CLOUD)
    except OSError as error:
        raise StepFailedError("folder", str(error)) from None

    _title("Plan: which configuration, how many replicas where, at which cost")
    shown(folder, "plan", CLOUD)

    _title("Run: gateway, ledger, and the plan's replicas as emulated engines")
    load = make_load(folder / CLOUD, seconds=seconds, fraction=fraction, seed=seed)
    keys = {}
    for tenant in load.tenants:
        print(f"$ neocloud key create {CLOUD} --tenant {tenant}")
        keys[tenant] = neocloud(folder, "key", "create", CLOUD, "--tenant", tenant).split()[-1]
    with Service(folder, "up", CLOUD, "--plan", PLAN, "--listen", "127.0.0.1:0") as service:
        print(f"$ {service.command}\n{service.ready}")
        _title("Requests: the openai client")
        print(load.summary())
        counts = send(load, f"{service.url}/v1", keys)
        print(counts.summary(seconds))
        service.stop()
    print("Stopped with SIGTERM; it ended by itself, and its port is closed.")

    _title("Metered")
    shown(folder, "usage", CLOUD, saved="usage.txt")
    same = _compared(folder, counts)
    _title("Billed: what the invoice of one tenant would say")
    shown(folder, "invoice", CLOUD, "--tenant", INVOICED, "--html", INVOICE, saved="invoice.txt")
    _title("Cost and margin by tier, planned against metered")
    shown(
        folder, "report", CLOUD, "--plan", PLAN, "--part", "tiers", "--picture", PICTURE,
        saved="report.txt",
    )  # fmt: skip
    _title("Finance: can it carry its loan at the planned demand")
    shown(folder, "report", CLOUD, "--part", "finance", saved="finance.txt")
    neocloud(folder, "report", CLOUD, "--html", PAGE)
    _title("Files")
    for path in sorted(folder.iterdir()):
        print(f"{path.stat().st_size:>12,} {path}")
    print("\nTo open in a browser; neither needs another file or the network:")
    print(f"  specimen invoice  {(folder / INVOICE).resolve()}")
    print(f"  report            {(folder / PAGE).resolve()}")
    if counts.failed:
        raise StepFailedError("requests", "\n".join(counts.reasons))
    if not same:
        raise StepFailedError("metering", "the ledger and the clients differ, see above")
    return 0


def _title(text: str) -> None:
    print(f"\n=== {text}\n", flush=True)


def _compared(folder: Path, counts: Counts) -> bool:
    """Say whether the ledger holds what the clients saw, by tenant and model."""
    metered = Counts()
    others = 0
    for event in Reader(folder / "ledger.db").usage():
        if event.status is Status.COMPLETED:
            metered.add(event.tenant, event.model, event.input_tokens, event.output_tokens)
        else:
            others += 1
    same = metered.by_tenant_and_model == counts.by_tenant_and_model
    seen = f"{counts.answered:,} answers, {counts.input_tokens:,} tokens in, "
    seen += f"{counts.output_tokens:,} out"
    if same:
        print(f"The clients counted {seen}; the ledger holds the same, tenant by model.")
    else:
        print(
            f"The clients counted {seen}; the ledger differs: {metered.answered:,}, "
            f"{metered.input_tokens:,}, {metered.output_tokens:,}."
        )
    if others:
        print(f"{others} more requests are on record that were not answered whole.")
    return same


if __name__ == "__main__":
    sys.exit(main())
