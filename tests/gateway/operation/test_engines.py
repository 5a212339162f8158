"""Engines that `neocloud up` starts itself, and servers of others that take what is too much."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.engines.gguf_model import write_model
from tests.fakes import upstream

from neocloud.ledger import Reader

from .clouds import MODEL, REPLICAS, CloudFile, at
from .engines import fake_vllm, vllm_cloud
from .house import House, ask, chat, until, up

ASKED = {"model": MODEL, "prompt": "one two", "max_tokens": 5, "stream": True}


def answered(house: House) -> bool:
    answer = house.post(ASKED, path="/v1/completions")
    return answer.status == 200 and answer.body.endswith(b"[DONE]\n\n")


def test_the_plans_engines_are_started_once_and_end_with_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fake_vllm(tmp_path, monkeypatch, FAKE_ENV=str(tmp_path / "told"))
    vllm_cloud(tmp_path)
    words = ("cloud.yaml", "--start-engines", "--site", "frankfurt", "--workers", "2")
    with up(tmp_path, *words, admin=True) as house:
        assert len(house.children("guard.py")) == 2
        seen = {replica["replica"]: replica for replica in house.order("replicas").json()}
        assert set(seen) == set(REPLICAS)
        assert {replica["engine"] for replica in seen.values()} == {"vllm"}
        assert all(answered(house) for _ in range(4))
        variables, arguments = json.loads((tmp_path / "told").read_text())
        assert "--tensor-parallel-size" in arguments
        assert variables["CUDA_VISIBLE_DEVICES"] in ("0,1,2,3", "4,5,6,7")
        assert not any(name.startswith("NEOCLOUD_") for name in variables)
        house.reload()  # what did not change goes on
        assert {r["replica"]: r["address"] for r in house.order("replicas").json()} == {
            name: replica["address"] for name, replica in seen.items()
        }
        guards = house.children("guard.py")
        assert house.stop() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in guards)
    assert len(list(Reader(tmp_path / "ledger.db").usage())) == 4


def test_an_engine_that_a_new_plan_brings_is_started_at_a_reload_and_one_that_goes_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fake_vllm(tmp_path, monkeypatch)
    file = CloudFile(tmp_path)
    file.content["demand"][0]["requests_per_s"] = 3
    file.plan()
    words = ("cloud.yaml", "--start-engines")
    with up(tmp_path, *words, admin=True) as house:
        (guard,) = house.children("guard.py")
        assert answered(house)
        file.content["demand"][0]["requests_per_s"] = 9
        file.plan()
        came = house.order("reload", method="POST").json()
        assert came["starting"]
        until(lambda: len(house.order("replicas").json()) == 2)
        assert answered(house)
        file.content["demand"][0]["requests_per_s"] = 3
        file.plan()
        came = house.order("reload", method="POST").json()
        assert came["removed"]
        until(lambda: len(house.children("guard.py")) == 1)
        assert answered(house)
        assert house.children("guard.py") == [guard]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--site", "nowhere"), "has the sites frankfurt"),
        ((), "vllm"),
    ],
)
def test_engines_that_cannot_be_started_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
):
    fake_vllm(tmp_path, monkeypatch, FAKE_STATUS="3", FAKE_SAYS="vllm: no accelerator")
    vllm_cloud(tmp_path)
    with (
        pytest.raises(AssertionError, match=said),
        up(tmp_path, "cloud.yaml", "--start-engines", *words),
    ):
        pass


def test_a_model_file_is_served_with_one_command_and_limits(tmp_path: Path):
    write_model(tmp_path / "tiny.gguf")
    words = ("--model", "tiny.gguf", "--requests-per-minute", "3", "--workers", "2")
    with up(tmp_path, *words) as house:
        models = ask(house.url, "/v1/models").json()
        assert [model["id"] for model in models["data"]] == ["tiny"]
        answers = [house.post(chat(model="tiny", max_tokens=3)) for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert answers[0].headers["x-ratelimit-limit-requests"] == "3"
        assert answers[0].json()["usage"]["completion_tokens"] <= 3
        assert house.stop() == 0
    events = list(Reader(tmp_path / "usage.db").usage())
    assert [event.engine for event in events] == ["llamacpp"] * 3


def test_what_is_too_much_goes_to_others_but_not_of_tenants_bound_to_sites(tmp_path: Path):
    with ExitStack() as ours, upstream.process("CHUNKS=2", "--models", "their-name") as theirs:
        own = ours.enter_context(upstream.process("CHUNKS=2", "--models", MODEL))
        file = CloudFile(tmp_path)
        file.gateway["remotes"] = {
            "elsewhere": {
                "url": f"{theirs}/v1",
                "model": MODEL,
                "served_as": "their-name",
                "key_env": "THEIR_KEY",
                "price_per_mtok": {"input": 1, "output": 2},
                "metro": "paris",
            }
        }
        file.content["tenants"]["bound"] = {"allowed_sites": ["frankfurt"]}
        file.plan()
        environment = {"THEIR_KEY": "secret-of-theirs", "NEOCLOUD_KEY": ""}
        words = ("cloud.yaml", *at(own, *REPLICAS))
        with up(tmp_path, *words, admin=True, environment=environment) as house:
            keys = {
                tenant: house.order("keys", {"tenant": tenant}).json()["key"]
                for tenant in ("acme", "bound")
            }
            until(lambda: house.post(chat(model=MODEL), keys["bound"]).status == 200)
            assert house.post(chat(model=MODEL), keys["acme"]).status == 200
            assert not ask(theirs, "/requests", token="").json()
            ours.close()  # one's own are gone
            until(lambda: house.post(chat(model=MODEL), keys["bound"]).status == 503)
            assert house.post(chat(model=MODEL), keys["acme"]).status == 200
            remote = house.order("replicas").json()[-1]
            assert remote["replica"] == f"remote/elsewhere/{MODEL}/0"
            assert remote["overflow"]
            heard = ask(theirs, "/heard", token="").json()
            assert "secret-of-theirs" in str(heard)
            assert "their-name" in str(heard)
            assert "secret-of-theirs" not in house.said
            assert house.stop() == 0
    event = max(Reader(tmp_path / "ledger.db").usage(), key=lambda e: e.request_id)
    assert (event.site, event.pool, event.model) == ("remote", "elsewhere", MODEL)


def test_a_remotes_key_that_is_not_set_is_told_with_its_line(tmp_path: Path):
    file = CloudFile(tmp_path)
    remote = {"url": "http://127.0.0.1:1", "model": MODEL, "key_env": "NOT_SET_ANYWHERE"}
    file.gateway["remotes"] = {"elsewhere": remote}
    file.plan()
    with (
        pytest.raises(AssertionError, match=r"cloud.yaml:\d+: .*NOT_SET_ANYWHERE"),
        up(tmp_path, "cloud.yaml"),
    ):
        pass


def test_engines_end_with_a_supervisor_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fake_vllm(tmp_path, monkeypatch)
    vllm_cloud(tmp_path)
    with up(tmp_path, "cloud.yaml", "--start-engines", "--workers", "2") as house:
        guards = house.children("guard.py")
        house.process.kill()
        house.process.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in guards))
