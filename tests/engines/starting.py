"""Starting the fake vLLM through the adapters."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from neocloud.engines import Endpoint, EngineStart, free_port
from neocloud.engines.child import Command
from neocloud.engines.endpoint import endpoint_of_url

FAKE = (sys.executable, str(Path(__file__).with_name("fake_vllm.py")))


def fake_start(*, shutdown_s: float = 5, grace_s: float = 5.0, **variables: object) -> EngineStart:
    """A start of the fake as vLLM, with its variables: `says`, `start_s`, `status`, ..."""
    port = free_port()
    return EngineStart(
        endpoint=endpoint_of_url(
            f"http://127.0.0.1:{port}", replica="s/p/tiny/0", model="tiny", kind="vllm"
        ),
        command=Command(
            arguments=(
                *FAKE, "serve", "org/tiny", "--served-model-name", "tiny", "--port", str(port),
                "--shutdown-timeout", f"{shutdown_s:g}",
            ),
            environment=tuple((f"FAKE_{k.upper()}", str(v)) for k, v in variables.items()),
        ),
        ready_within_s=10.0,
        grace_s=grace_s,
        backoff_s=0.05,
    )  # fmt: skip


def alive(process: int) -> bool:
    """True if a process runs; one that ended and was not waited for does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self").exists()  # no /proc: the first look counts


def base(endpoint: Endpoint) -> str:
    return f"http://{endpoint.address}{endpoint.prefix.decode()}"
