"""The process of one llama.cpp: what it is told, its life, its end.

llama.cpp's own server runs in this process, in threads that know nothing of Python. On SIGTERM it
goes on, until it has answered what it was asked or the grace is over: whoever stops it has stopped
routing to it before.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

_LOOK_S = 0.05
_QUIET_LOOKS = 2
"""An engine is idle if it was so twice: a request may be between its socket and its queue."""
_ASK_S = 2.0
WRONG_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to end; the exit status."""
    given = _parser().parse_args(arguments)
    told = threading.Event()

    def tell(number: int, frame: FrameType | None) -> None:
        del number, frame
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    try:
        xllamacpp: Any = import_module("xllamacpp")
    except ImportError:
        sys.stderr.write("llama.cpp is not installed: pip install 'neocloud[local]'\n")
        return WRONG_INPUT
    try:
        server = xllamacpp.Server(_parameters(given, xllamacpp))
    except Exception as error:  # noqa: BLE001  (it raises plain RuntimeError and worse)
        sys.stderr.write(f"llama.cpp did not start: {error}\n")
        return 1
    told.wait()
    _drain(server.listening_address, given.grace)
    # Its destructor waits for connections that clients keep alive; nothing of it is worth that.
    sys.stderr.flush()
    os._exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m neocloud.engines.llamacpp",
        description="Serve one GGUF file with llama.cpp.",
    )
    parser.add_argument("--model", type=Path, required=True, help="the GGUF file")
    parser.add_argument("--name", required=True, help="what clients call the model")
    parser.add_argument("--host", default="127.0.0.1", help="to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, required=True, help="to listen on")
    parser.add_argument("--threads", type=int, default=0, help="that compute; 0: one a core")
    parser.add_argument("--context", type=int, default=4096, help="tokens of one request")
    parser.add_argument("--parallel", type=int, default=4, help="requests at once; more wait")
    parser.add_argument("--gpu-layers", type=int, default=-1, help="on a GPU; -1: what fits")
    parser.add_argument(
        "--own-pooling", action="store_true",
        help="embeddings as the file says, not as the mean over the tokens",
    )  # fmt: skip
    parser.add_argument(
        "--no-prompt-cache", action="store_true",
        help="compute each prompt anew, so that no tenant can time another's",
    )  # fmt: skip
    parser.add_argument(
        "--grace", type=float, default=30.0,
        help="seconds that running answers may take after SIGTERM (default 30)",
    )  # fmt: skip
    return parser


def _parameters(given: argparse.Namespace, xllamacpp: Any) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(given.model)
    parameters.model_alias = {given.name}
    parameters.hostnames = [given.host]
    parameters.port = given.port
    parameters.n_parallel = given.parallel
    parameters.n_ctx = given.context * given.parallel  # it divides it by its slots
    parameters.n_gpu_layers = given.gpu_layers
    if given.threads:
        parameters.cpuparams.n_threads = given.threads
        parameters.cpuparams_batch.n_threads = given.threads
    parameters.embedding = True
    if not given.own_pooling:
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    parameters.cache_prompt = not given.no_prompt_cache
    # By default up to 8 GiB of memory hold the caches of former prompts.
    parameters.cache_ram_mib = 0
    parameters.endpoint_metrics = True
    # It tells the prompts that it works on.
    parameters.endpoint_slots = False
    parameters.ui = False
    return parameters


def _drain(address: str, grace_s: float) -> None:
    """Wait until the engine has nothing left to do."""
    end = time.monotonic() + grace_s
    quiet = 0
    while quiet < _QUIET_LOOKS and time.monotonic() < end:
        time.sleep(_LOOK_S)
        try:
            with urllib.request.urlopen(f"{address}/metrics", timeout=_ASK_S) as answer:  # noqa: S310
                page = answer.read()
        except OSError:
            return
        quiet = quiet + 1 if _under_way(page) == 0 else 0


def _under_way(page: bytes) -> int:
    counted = (b"llamacpp:requests_processing ", b"llamacpp:requests_deferred ")
    return sum(
        int(float(line.rpartition(b" ")[2]))
        for line in page.splitlines()
        if line.startswith(counted)
    )
