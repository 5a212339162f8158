"""What `neocloud up` says when it cannot run; where it runs: tests/gateway, tests/examples."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.fakes.upstream import process

from neocloud.ledger import keys_of

EXAMPLE = Path(__file__).parents[2] / "examples/two-sites/cloud.yaml"


def up(folder: Path, *arguments: str, key: str = "") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "neocloud.cli.main", "up", *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"} | ({"NEOCLOUD_KEY": key} if key else {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "key", "said"),
    [
        ((), "", "name a cloud file, a model file, or a server"),
        (("--upstream", "http://127.0.0.1:1"), "", "cannot connect to 127.0.0.1:1"),
        (("--upstream", "http://127.0.0.1:1"), "k", "cannot connect to 127.0.0.1:1"),
        (("--upstream", "ftp://x"), "k", "http://host:port"),
        (("--upstream", "http://x", "--site", "a"), "k", "belong to a cloud file"),
        (("--model", "gone.gguf"), "k", "gone.gguf is no file"),
        (("--upstream", "http://x", "--workers", "0"), "k", "--workers"),
        (("--upstream", "http://x", "--grace", "-1"), "k", "--grace"),
        (("sqlite:///usage.db",), "", "name a ledger with --ledger"),
        (("cloud.yaml", "--model", "x.gguf"), "", "with one, they belong in it"),
        (("cloud.yaml", "--tokens-per-minute", "1"), "", "with one, they belong in it"),
        (("cloud.yaml",), "", "Make it with `neocloud plan`"),
        (("missing.yaml",), "", "cannot be read"),
    ],
)
def test_wrong_input_is_told_with_status_2(tmp_path, arguments, key, said):
    (tmp_path / "cloud.yaml").write_text(EXAMPLE.read_text())
    status, text = up(tmp_path, *arguments, key=key)
    assert status == 2
    assert said in text
    assert "Traceback" not in text


def test_a_first_key_that_nobody_saw_is_withdrawn(tmp_path):
    def in_force() -> list[bool]:
        kept = keys_of(tmp_path / "usage.db").keys()
        return [key.in_force(time.time_ns()) for key in kept]

    with socket.socket() as taken, process() as upstream:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        taken.close()
        for start in (1, 2):
            status, text = up(
                tmp_path,
                "--upstream",
                upstream,
                "--listen",
                address,
                "--admin-listen",
                "127.0.0.1:0",
            )
            assert (status, "NEOCLOUD_ADMIN_TOKEN" in text) == (2, True), text
            assert in_force() == [False] * start
        for start in (1, 2):
            gateway = subprocess.Popen(
                [sys.executable, "-m", "neocloud.cli.main", "up", "--upstream", upstream,
                 "--listen", address],
                cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert gateway.stdout is not None
            assert address in gateway.stdout.readline()
            assert gateway.stderr is not None
            gateway.terminate()
            # Not `communicate`: it reads the pipe and not what `readline` has taken ahead.
            more, told = gateway.stdout.read(), gateway.stderr.read()
            gateway.wait(60)
            assert ("key: nc-" in more) is (start == 1)
            assert ("neocloud key create --ledger sqlite:///usage.db" in told) is (start == 2)
            assert in_force() == [False, False, True]


def test_a_start_that_fails_at_the_door_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.pem").write_text("no certificate")
    files = "--tls-certificate", "a.pem", "--tls-key", "a.pem"
    with socket.socket() as taken, process() as upstream:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for words, said in (
            (("--listen", address), f"cannot listen on {address}"),
            (("--listen", "127.0.0.1:0", "--admin-listen", address), f"cannot listen on {address}"),
            (("--listen", address, "--workers", "2"), f"cannot listen on {address}"),
            (("--listen", "127.0.0.1:0", *files), "no certificate with its key"),
            (("--listen", "127.0.0.1:0", *files[:2]), "TLS needs both"),
        ):
            status, text = up(tmp_path, "--upstream", upstream, *words)
            assert (status, said in text) == (2, True), text
            assert [path.name for path in tmp_path.iterdir()] == ["a.pem"], words


def test_what_a_plan_cannot_run_on_is_told(tmp_path):
    cloud = tmp_path / "cloud.yaml"
    cloud.write_text(EXAMPLE.read_text())
    subprocess.run(
        [sys.executable, "-m", "neocloud.cli.main", "plan", "cloud.yaml"],
        cwd=tmp_path, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    status, text = up(tmp_path, "cloud.yaml", "--upstream", "nowhere/0=http://127.0.0.1:1")
    assert (status, "replica of the plan" in text) == (2, True)
    status, text = up(tmp_path, "cloud.yaml", "--ledger", "sqlite:///no/folder/x.db")
    assert (status, "no/folder" in text) == (2, True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, text = up(tmp_path, "cloud.yaml", "--listen", address)
    assert status == 2
    assert f"cannot listen on {address}" in text
    assert "Traceback" not in text
    assert {path.name for path in tmp_path.iterdir()} == {"cloud.yaml", "plan.json"}
    cloud.write_text(cloud.read_text().replace("pue: 1.25", "pue: 1.3", 1))
    status, text = up(tmp_path, "cloud.yaml")
    assert status == 2
    assert "another version of" in text
    assert "Plan again" in text
