"""The admin API: its own address and token, and what an operator does with it."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.fakes import upstream

from .clouds import MODEL, REPLICAS, CloudFile, at
from .house import KEY, TOKEN, ask, chat, named, until, up


@pytest.fixture
def engine():
    with upstream.process("CHUNKS=3", "--models", MODEL) as url:
        yield url


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_operator_drains_a_replica_and_lets_it_come_again(
    tmp_path: Path, engine: str, workers: str
):
    CloudFile(tmp_path).plan()
    words = ("cloud.yaml", *at(engine, *REPLICAS), "--workers", workers)
    with up(tmp_path, *words, admin=True) as house:
        version = house.order("version").json()
        assert version["workers"] == int(workers)
        first, second = house.order("replicas").json()
        assert (first["replica"], second["replica"]) == REPLICAS
        assert (first["state"], first["in_flight"], first["emulated"]) == ("ready", 0, False)
        drained = house.order(f"replicas/{named(REPLICAS[0])}/drain", method="POST")
        assert drained.json()["state"] == "drained"
        heard = ask(engine, "/count", token="").json()
        for number in range(8):
            assert house.post(chat(f"{number}", model=MODEL)).status == 200
        assert ask(engine, "/count", token="").json() != heard
        house.order(f"replicas/{named(REPLICAS[1])}/drain", method="POST")
        refused = house.post(chat(model=MODEL))
        assert (refused.status, refused.json()["error"]["code"]) == (503, "no_replica")
        assert house.page("/readyz").status == 503
        house.order(f"replicas/{named(REPLICAS[0])}/undrain", method="POST")
        until(lambda: house.order("replicas").json()[0]["state"] == "ready")
        until(lambda: house.page("/readyz").status == 200)
        assert house.post(chat(model=MODEL)).status == 200
        house.reload()  # what the operator has drained stays drained
        assert [r["state"] for r in house.order("replicas").json()] == ["ready", "drained"]
        assert house.order("replicas/nowhere%2F0/drain", method="POST").status == 404
        page = house.order("metrics")
        assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = page.body.decode().splitlines()
        opened = [line for line in lines if line.startswith("neocloud_num_requests_running{")]
        assert opened == [
            f'neocloud_num_requests_running{{worker="{n}"}} 0' for n in range(int(workers))
        ]
        assert sum(line.startswith("# TYPE neocloud_num_requests_running ") for line in lines) == 1


def test_what_is_in_flight_shows_and_ends_where_it_is_drained(tmp_path: Path):
    with (
        upstream.process("CHUNKS=20 PACE_MS=50", "--models", MODEL) as engine,
        up(tmp_path, "--upstream", engine, "--workers", "2", admin=True) as house,
    ):
        whole: list[bool] = []
        clients = [
            threading.Thread(
                target=lambda: whole.append(
                    house.post(chat(model=MODEL, stream=True)).body.endswith(b"[DONE]\n\n")
                )
            )
            for _ in range(4)
        ]
        for client in clients:
            client.start()
        until(lambda: house.order("replicas").json()[0]["in_flight"] == 4)
        (replica,) = house.order("replicas").json()
        answer = house.order(f"replicas/{named(replica['replica'])}/drain", method="POST").json()
        assert (answer["state"], answer["in_flight"]) == ("draining", 4)
        for client in clients:
            client.join()
        assert whole == [True] * 4
        until(lambda: house.order("replicas").json()[0]["state"] == "drained")


def test_keys_are_made_rotated_and_revoked(tmp_path: Path, engine: str):
    with up(
        tmp_path, "--upstream", engine, "--requests-per-minute", "50", "--concurrent", "5",
        admin=True, environment={"NEOCLOUD_KEY": ""},
    ) as house:  # fmt: skip
        (first,) = house.order("keys").json()
        made = house.order("keys", {"tenant": "default", "name": "app"}).json()
        assert made["key"].startswith(f"nc-{made['key_id']}-")
        until(lambda: house.post(chat(model=MODEL), made["key"]).status == 200)
        turned = house.order(f"keys/{made['key_id']}/rotate", {"grace_s": 600}).json()
        until(lambda: house.post(chat(model=MODEL), turned["key"]).status == 200)
        assert house.post(chat(model=MODEL), made["key"]).status == 200
        gone = house.order(f"keys/nc-{turned['key_id']}/revoke", method="POST").json()
        assert not gone["in_force"]
        until(lambda: house.post(chat(model=MODEL), turned["key"]).status == 401)
        listed = house.order("keys").json()
        assert {key["key_id"] for key in listed} == {
            first["key_id"], made["key_id"], turned["key_id"],
        }  # fmt: skip
        assert all(made["key"] not in str(key) and "hash" not in key for key in listed)
        (tenant,) = house.order("tenants").json()
        assert tenant["limit"]["requests_per_minute"] == 50
        assert tenant["remaining"]["requests"]["remaining"] < 50
        assert tenant["remaining"]["concurrent"] == 5
        usage = house.order("usage?by=key,status&tenant=default").json()
        assert usage["requests"] >= 3
        assert {line["key"] for line in usage["lines"]} >= {made["key_id"]}
        assert house.order("usage?tenant=nobody").json()["requests"] == 0


@pytest.mark.parametrize(
    ("page", "method", "body", "status"),
    [
        ("keys", "POST", {"tenant": "nobody"}, 404),
        ("keys", "POST", b"{", 400),
        ("keys", "POST", {"tenant": "default", "admin": True}, 400),
        ("keys", "POST", b" " * 100_000, 413),
        ("keys/none/rotate", "POST", {}, 404),
        ("keys/none/rotate", "POST", {"grace_s": -1}, 400),
        ("keys/none/revoke", "POST", None, 404),
        ("usage?by=prompt", "GET", None, 400),
        ("usage?period=yesterday", "GET", None, 400),
        ("replicas", "DELETE", None, 405),
        ("nothing", "GET", None, 404),
        ("../metrics", "GET", None, 404),
    ],
)
def test_wrong_calls_are_told_as_json(running, page, method, body, status):
    answer = running.order(page, body, method=method)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json()["error"]["message"]
    assert answer.headers.get("allow") == ("GET" if status == 405 else None)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("admin")
    with (
        upstream.process("CHUNKS=3", "--models", MODEL) as engine,
        up(folder, "--upstream", engine, admin=True) as house,
    ):
        yield house


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1], KEY])
def test_nothing_is_told_without_the_token(running, token):
    for page in ("replicas", "keys", "version", "nothing"):
        answer = running.order(page, token=token)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert running.order("keys", {"tenant": "default"}, token=token).status == 401


def test_the_admin_api_is_on_no_other_address_and_serves_no_clients(running):
    for page in ("/admin/replicas", "/admin/keys", "/admin/version"):
        assert ask(running.url, page, token=TOKEN).status == 404
    assert ask(running.admin, "/v1/models", token=TOKEN).status == 404
    assert ask(running.admin, "/metrics", token=TOKEN).status == 404


def test_the_gateway_does_not_start_with_an_admin_address_and_no_token(tmp_path: Path, engine: str):
    with (
        pytest.raises(AssertionError, match="NEOCLOUD_ADMIN_TOKEN"),
        up(tmp_path, "--upstream", engine, admin=True, environment={"NEOCLOUD_ADMIN_TOKEN": ""}),
    ):
        pass


def test_the_token_may_stand_in_a_file_and_is_renewed_by_a_reload(tmp_path: Path, engine: str):
    file = tmp_path / "token"
    file.write_text("first\n")
    with up(
        tmp_path, "--upstream", engine, admin=True,
        environment={"NEOCLOUD_ADMIN_TOKEN_FILE": str(file)},
    ) as house:  # fmt: skip
        assert house.order("version", token="first").status == 200
        assert house.order("version").status == 401
        file.write_text("second\n")
        house.reload()
        assert house.order("version", token="first").status == 401
        assert house.order("version", token="second").status == 200
        file.write_text("")
        house.reload("not reloaded")
        assert house.order("version", token="second").status == 200


def test_half_a_call_holds_nobody_up(running):
    parts = urlsplit(running.admin)
    with socket.create_connection((parts.hostname, parts.port)) as half:
        half.sendall(b"POST /admin/keys HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        assert running.order("version").status == 200
