"""Keys in a file and in PostgreSQL: alike; rotation, and the ring that follows both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neocloud.ledger import LedgerError
from neocloud.ledger.keys import KeyRing, Keys, KeyStore, KeyWatch, given_key, keys_of
from neocloud.ledger.place import ledger_place
from neocloud.ledger.postgresql import PostgresqlKeys

from ..servers.postgresql import WAIT_S, running, shared  # noqa: TID252  (a real server)

Connect = Callable[[], Keys]


@pytest.fixture(params=["file", "postgresql"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Connect:
    """More connections to the same keys."""
    if request.param == "file":
        return lambda: keys_of(tmp_path / "ledger.db")
    url = shared().database()
    return lambda: keys_of(ledger_place(url, tmp_path))


@pytest.fixture
def keys(connect: Connect) -> Iterator[Keys]:
    made = connect()
    yield made
    made.close()


def opens(store: Keys, text: str, now_ns: int) -> bool:
    return KeyRing(store.keys(), now_ns).find(text.encode()) is not None


def test_the_place_decides_where_they_lie(connect, request):
    kind = {"file": KeyStore, "postgresql": PostgresqlKeys}
    assert type(connect()) is kind[request.node.callspec.params["connect"]]


def test_made_listed_oldest_first_and_revoked(keys):
    assert keys.keys() == ()
    assert keys.changed_ns() == 0
    made = [keys.create("acme", name, ns) for name, ns in (("b", 2), ("a", 1), ("Ü\0\1", 3))]
    assert keys.keys() == (made[1][1], made[0][1], made[2][1])
    assert opens(keys, made[0][0], 9)
    assert keys.revoke(made[0][1].key_id, 5)
    assert not keys.revoke(made[0][1].key_id, 6), "once is enough"
    assert not keys.revoke("nobody", 6)
    assert not opens(keys, made[0][0], 5)
    assert opens(keys, made[1][0], 5)
    assert [k.revoked_ns for k in tuple(keys.keys())] == [None, 5, None]


def test_another_connection_sees_each_change(connect, keys):
    other = connect()
    seen = {other.changed_ns()}
    _, key = keys.create("acme", "", 100)
    seen.add(other.changed_ns())
    assert other.keys() == (key,)
    assert other.rotate(key.key_id, 100, 200) is not None
    seen.add(keys.changed_ns())
    assert keys.revoke(key.key_id, 100)
    seen.add(other.changed_ns())
    assert len(seen) == 4, "each of them shows, at the same time of the clock too"


def test_a_rotated_key_is_refused_at_once_or_after_its_grace(keys):
    for end_ns in (50, 80):
        old_text, old = keys.create("acme", "laptop", 10)
        made = keys.rotate(old.key_id, 50, end_ns)
        assert made is not None
        text, key = made
        assert (key.tenant, key.name, key.created_ns, key.revoked_ns) == (
            "acme",
            "laptop",
            50,
            None,
        )
        assert key.key_id != old.key_id
        assert text.startswith(key.prefix + "-")
        assert opens(keys, text, 50)
        assert opens(keys, text, 10**18)
        assert [opens(keys, old_text, ns) for ns in (50, 79, 80)] == [
            end_ns > 50, end_ns > 79, False,
        ]  # fmt: skip


def test_rotation_never_lengthens_a_life_and_takes_only_keys_in_force(keys):
    old_text, old = keys.create("acme", "", 10)
    assert keys.rotate(old.key_id, 50, 80) is not None
    assert keys.rotate(old.key_id, 60, 500) is not None, "within its grace it is still one"
    assert not opens(keys, old_text, 80)
    before = keys.keys()
    assert keys.rotate(old.key_id, 80, 500) is None
    assert keys.rotate("nobody", 80, 500) is None
    assert keys.keys() == before
    assert keys.revoke(before[-1].key_id, 90)


def test_a_key_within_its_grace_can_be_revoked_at_once(keys):
    text, old = keys.create("acme", "", 10)
    keys.rotate(old.key_id, 50, 80)
    assert keys.revoke(old.key_id, 60)
    assert not opens(keys, text, 60)


def test_keys_made_elsewhere_are_taken_over_with_their_earlier_end(keys, tmp_path):
    other = KeyStore(tmp_path / "other.db")
    text, key = other.create("acme", "laptop", 10)
    keys.adopt(key)
    keys.adopt(key)
    assert keys.keys() == (key,)
    assert opens(keys, text, 50)
    assert other.revoke(key.key_id, 40)
    before = keys.changed_ns()
    keys.adopt(other.keys()[0])
    assert keys.changed_ns() != before
    keys.adopt(key)
    assert keys.keys() == other.keys()
    assert not opens(keys, text, 50)


def test_who_does_not_tell_the_time_gets_no_key_that_ends(keys):
    text, old = keys.create("acme", "", 10)
    keys.rotate(old.key_id, 50, 80)
    ring = KeyRing(keys.keys())
    assert ring.find(text.encode()) is None
    assert (len(ring), ring.next_end_ns) == (1, None)


def test_a_watch_gives_a_ring_when_keys_change_or_end_and_else_none(keys):
    watch = KeyWatch(keys, (given_key("own", "rhein"),))
    first = watch.look(1)
    assert first is not None
    assert first.find(b"own") is not None
    assert watch.look(2) is None
    text, old = keys.create("acme", "", 10)
    ring = watch.look(11)
    assert ring is not None
    assert ring.find(text.encode()) is not None
    keys.rotate(old.key_id, 50, 80)
    ring = watch.look(51)
    assert ring is not None
    assert ring.next_end_ns == 80
    assert (len(ring), ring.find(text.encode()) is not None) == (3, True)
    assert watch.look(79) is None
    ring = watch.look(80)
    assert ring is not None
    assert (len(ring), ring.find(text.encode())) == (2, None)
    assert watch.look(10**18) is None


def test_keys_made_at_once_are_all_kept(connect, keys):
    start = threading.Barrier(4)
    failed: list[Exception] = []

    def make(worker: int) -> None:
        mine = connect()
        try:
            start.wait(WAIT_S)
            for n in range(5):
                mine.create("acme", f"{worker}.{n}", n)
        except Exception as error:  # noqa: BLE001  (whatever it is, the test tells)
            failed.append(error)

    makers = [threading.Thread(target=make, args=(n,)) for n in range(4)]
    for each in makers:
        each.start()
    for each in makers:
        each.join(WAIT_S)
    assert failed == []
    assert len({key.name for key in tuple(keys.keys())}) == 20


def test_a_server_that_is_away_is_told_and_the_watch_takes_it_up_again():
    with running() as server:
        keys = PostgresqlKeys(server.database())
        watch = KeyWatch(keys)
        text, _ = keys.create("acme", "", 1)
        assert watch.look(2) is not None
        server.kill()
        with pytest.raises(LedgerError):
            watch.look(3)
        server.start()
        _, second = keys.create("acme", "", 4)
        ring = watch.look(5)
        assert ring is not None
        assert (len(ring), ring.find(text.encode()) is not None) == (2, True)
        assert second in tuple(keys.keys())
        keys.close()
