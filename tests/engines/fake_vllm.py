"""Behaves like `vllm serve`, as far as whoever starts it can tell. No model and no vLLM in it.

    fake_vllm.py serve MODEL --served-model-name NAME --port PORT [--shutdown-timeout S] ...

`/health`, `/v1/models` and `/metrics` under vLLM's names; `/v1/completions` streams `max_tokens`
events. SIGTERM as vLLM 0.33: the first process drains for `--shutdown-timeout`, new requests get
500, `/health` goes on saying 200; at 0 answers end in an error event and `[DONE]`. A worker process
stands for its engine core. What else it is to do stands in variables:

    FAKE_SAYS     a line to print first          FAKE_START_S   seconds before it listens
    FAKE_STATUS   end at once with this status   FAKE_DEAF      ignore SIGTERM
    FAKE_WORKER   file for the worker's id       FAKE_ENV       file for its variables and arguments
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PACE_S = 0.02


class State:
    def __init__(self, arguments: list[str]) -> None:
        def told(flag: str, otherwise: str) -> str:
            return arguments[arguments.index(flag) + 1] if flag in arguments else otherwise

        self.model = told("--served-model-name", "model")
        self.port = int(told("--port", "8000"))
        self.shutdown_s = float(told("--shutdown-timeout", "0"))
        self.running = 0
        self.prompt_tokens = self.generated_tokens = 0
        self.draining = self.cut = False
        self.lock = threading.Lock()

    def metrics(self) -> str:
        labels = f'{{engine="0",model_name="{self.model}"}}'
        return "".join(
            f"vllm:{name}{labels} {float(value)}\n"
            for name, value in (
                ("num_requests_running", self.running),
                ("num_requests_waiting", 0),
                ("kv_cache_usage_perc", 0.25 if self.running else 0.0),
                ("prompt_tokens_total", self.prompt_tokens),
                ("prefix_cache_queries_total", self.prompt_tokens),
                ("prefix_cache_hits_total", 0),
                ("generation_tokens_total", self.generated_tokens),
            )
        )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: State

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        state = self.state
        if self.path == "/health":
            self._answer(200, b"")
        elif self.path == "/v1/models":
            models = {"object": "list", "data": [{"id": state.model, "object": "model"}]}
            self._answer(200, json.dumps(models).encode())
        elif self.path == "/metrics":
            self._answer(200, state.metrics().encode())
        else:
            self._answer(404, b"{}")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/die":
            os._exit(7)
        if self.state.draining:
            self._answer(500, b'{"error":{"message":"engine is shutting down","code":500}}')
            return
        with self.state.lock:
            self.state.running += 1
        try:
            self._stream(asked)
        finally:
            with self.state.lock:
                self.state.running -= 1

    def _stream(self, asked: dict) -> None:
        state = self.state
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        state.prompt_tokens += 5
        for number in range(asked["max_tokens"]):
            if state.cut:
                self._event({"error": {"message": "aborted", "code": 500}})
                break
            state.generated_tokens += 1
            self._event({"choices": [{"index": 0, "text": f"{number} ", "finish_reason": None}]})
            time.sleep(PACE_S)
        else:
            self._event({"choices": [{"index": 0, "text": "", "finish_reason": "length"}]})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, event: dict) -> None:
        self._chunk(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def main(arguments: list[str]) -> None:
    told = os.environ.get
    print(told("FAKE_SAYS", "INFO the engine starts"), flush=True)
    if told("FAKE_ENV"):
        Path(told("FAKE_ENV")).write_text(json.dumps([dict(os.environ), arguments]))
    if told("FAKE_STATUS"):
        sys.exit(int(told("FAKE_STATUS")))
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if told("FAKE_WORKER"):
        Path(told("FAKE_WORKER")).write_text(str(worker.pid))
    time.sleep(float(told("FAKE_START_S", "0")))
    state = Handler.state = State(arguments)
    server = Server(("127.0.0.1", state.port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    end = threading.Event()
    if told("FAKE_DEAF"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: end.set())
    end.wait()
    state.draining = True
    deadline = time.monotonic() + state.shutdown_s
    while state.running and time.monotonic() < deadline:
        time.sleep(0.01)
    state.cut = True
    while state.running:
        time.sleep(0.01)
    time.sleep(0.05)  # the last bytes are on their way
    os._exit(0)  # the worker is left to whoever looks after the group


if __name__ == "__main__":
    main(sys.argv[1:])
