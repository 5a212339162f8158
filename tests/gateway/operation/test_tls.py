"""TLS at the door, with certificates that the test makes, renewed while it runs."""

from __future__ import annotations

import socket
import ssl
import subprocess
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.fakes import upstream

from .clouds import MODEL, REPLICAS, CloudFile, at
from .house import TOKEN, ask, chat, up


def certificate(folder: Path, name: str, stem: str = "server") -> None:
    """A certificate of its own for 127.0.0.1."""
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(folder / f"{stem}.key"), "-out", str(folder / f"{stem}.pem"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip


def trusting(folder: Path, stem: str = "server") -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder / f"{stem}.pem")


def name_of(url: str) -> str:
    """Common name of the certificate that is shown now."""
    parts = urlsplit(url)
    shown = ssl.get_server_certificate((parts.hostname, parts.port))
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-subject"], input=shown, text=True, capture_output=True
    ).stdout
    return text.strip().rpartition("=")[2].strip()


@pytest.fixture
def engine():
    with upstream.process("CHUNKS=3") as url:
        yield url


WORDS = ("--tls-certificate", "server.pem", "--tls-key", "server.key")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_clients_and_operator_speak_tls_and_see_a_renewed_certificate(
    tmp_path: Path, engine: str, workers: str
):
    certificate(tmp_path, "first")
    words = ("--upstream", engine, *WORDS, "--workers", workers)
    with up(tmp_path, *words, admin=True) as house:
        assert house.url.startswith("https://")
        first = trusting(tmp_path)
        for stream in (False, True):
            answer = ask(house.url, "/v1/chat/completions", chat(stream=stream, n=1), context=first)
            assert answer.status == 200
        assert answer.body.endswith(b"[DONE]\n\n")
        large = chat("word " * 100_000)
        assert ask(house.url, "/v1/chat/completions", large, context=first).status == 200
        assert ask(house.admin, "/admin/version", token=TOKEN, context=first).status == 200
        kept = socket.create_connection((urlsplit(house.url).hostname, urlsplit(house.url).port))
        with first.wrap_socket(kept, server_hostname="127.0.0.1") as old:
            old.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            assert old.recv(1000).startswith(b"HTTP/1.1 200")
            certificate(tmp_path, "second")
            house.reload()
            assert {name_of(house.url) for _ in range(6)} == {"second"}
            assert name_of(house.admin) == "second"
            old.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")  # under the old one
            assert old.recv(1000).startswith(b"HTTP/1.1 200")
        certificate(tmp_path, "third", "other")
        (tmp_path / "server.key").write_bytes((tmp_path / "other.key").read_bytes())
        house.reload("no certificate with its key")
        assert name_of(house.url) == "second"
        (tmp_path / "server.pem").unlink()
        house.reload("server.pem: No such file")
        assert name_of(house.url) == "second"
        assert house.stop() == 0


def test_the_file_names_certificate_admin_address_and_workers(tmp_path: Path):
    certificate(tmp_path, "of the file")
    file = CloudFile(tmp_path)
    file.gateway.update(
        tls_certificate="server.pem", tls_key="server.key", workers=2, admin_listen="127.0.0.1:0",
        listen="127.0.0.1:0",
    )  # fmt: skip
    file.plan()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with (
        upstream.process("CHUNKS=3", "--models", MODEL) as engine,
        up(elsewhere, "../cloud.yaml", *at(engine, *REPLICAS)) as house,
    ):
        assert name_of(house.url) == "of the file"
        said = house.said.partition("admin API on ")[2].split()[0]
        version = ask(
            said.removesuffix("/admin/"), "/admin/version", token=TOKEN, context=trusting(tmp_path)
        )
        assert version.json()["workers"] == len(house.workers) == 2
        answer = ask(
            house.url, "/v1/chat/completions", chat(model=MODEL), context=trusting(tmp_path)
        )
        assert answer.status == 200


def test_old_versions_plain_http_and_rubbish_are_turned_away(tmp_path: Path, engine: str):
    certificate(tmp_path, "only")
    with up(tmp_path, "--upstream", engine, *WORDS) as house:
        place = urlsplit(house.url).hostname, urlsplit(house.url).port
        context = trusting(tmp_path)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(place) as plain,
            pytest.raises((ssl.SSLError, ConnectionError)),
        ):
            context.wrap_socket(plain, server_hostname="127.0.0.1")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting(tmp_path)
            context.minimum_version = context.maximum_version = version
            assert ask(house.url, "/healthz", context=context).status == 200
        for rubbish in (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 99):
            with socket.create_connection(place) as plain:
                plain.settimeout(20)
                plain.sendall(rubbish)
                assert not plain.recv(1000).startswith(b"HTTP")
        assert ask(house.url, "/healthz", context=trusting(tmp_path)).status == 200


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tls-certificate", "server.pem"), "TLS needs both"),
        (("--tls-certificate", "gone.pem", "--tls-key", "server.key"), "gone.pem: No such file"),
        (("--tls-certificate", "server.key", "--tls-key", "server.key"), "no certificate with"),
    ],
)
def test_what_cannot_be_used_is_told_at_the_start(tmp_path: Path, engine: str, words, said):
    certificate(tmp_path, "first")
    with pytest.raises(AssertionError, match=said), up(tmp_path, "--upstream", engine, *words):
        pass
