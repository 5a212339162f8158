"""Keys: made once, kept as hashes, found in memory, revoked."""

from __future__ import annotations

import hashlib
import re
import stat
from pathlib import Path

import pytest

from neocloud.ledger import KeyRing, KeyStore, LedgerError, given_key


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "ledger.db")


def test_a_key_is_shown_once_and_only_its_hash_is_kept(store):
    text, key = store.create("acme", "laptop", 7)
    assert re.fullmatch(r"nc-[0-9a-f]{12}-[A-Za-z0-9_-]{32}", text)
    assert (key.key_id, key.tenant, key.name, key.created_ns, key.revoked_ns) == (
        text.split("-")[1], "acme", "laptop", 7, None,
    )  # fmt: skip
    assert key.hash == hashlib.sha256(text.encode()).digest()
    assert store.keys() == (key,)
    secret = text.split("-", 2)[2]
    assert secret.encode() not in store.path.read_bytes()
    assert secret not in repr(key)
    assert key.hash.hex() not in repr(key)


def test_its_file_is_the_owners_alone(store):
    store.create("acme", "", 1)
    assert store.path.name == "ledger.db.keys"
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_keys_are_listed_oldest_first_and_no_two_are_alike(store):
    assert store.keys() == ()
    texts = {store.create("acme", str(ns), ns)[0] for ns in (3, 1, 2)}
    assert len(texts) == 3
    assert [key.name for key in tuple(store.keys())] == ["1", "2", "3"]


def test_a_revoked_key_opens_nothing_and_stays_on_the_list(store):
    kept, _ = store.create("acme", "", 1)
    lost, key = store.create("acme", "", 2)
    assert store.revoke(key.key_id, 5)
    assert not store.revoke(key.key_id, 6), "once is enough"
    assert not store.revoke("nobody", 6)
    assert [k.revoked_ns for k in tuple(store.keys())] == [None, 5]
    ring = KeyRing(store.keys())
    assert len(ring) == 1
    assert ring.find(lost.encode()) is None
    found = ring.find(kept.encode())
    assert found is not None
    assert found.tenant == "acme"
    for wrong in (kept[:-1], kept + "x", kept.upper(), ""):
        assert ring.find(wrong.encode()) is None


def test_a_change_of_the_file_can_be_seen(store):
    assert store.changed_ns() == 0
    store.create("acme", "", 1)
    assert store.changed_ns() == store.path.stat().st_mtime_ns > 0


def test_a_key_from_elsewhere_is_known_by_the_start_of_its_hash():
    key = given_key("s3cret", "acme")
    assert key.key_id == "env-" + hashlib.sha256(b"s3cret").hexdigest()[:12]
    assert KeyRing((key,)).find(b"s3cret") is key
    assert "s3cret" not in repr(key)


def test_a_file_that_was_just_begun_holds_no_keys(store):
    store.path.touch()
    assert store.keys() == ()


def test_what_is_no_key_file_is_told(store, tmp_path):
    store.path.write_text("not a database\n" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.db\.keys: .*not a database"):
        store.keys()
    with pytest.raises(LedgerError, match=r"ledger\.db\.keys"):
        store.create("acme", "", 1)
    with pytest.raises(LedgerError, match="No such file or directory"):
        KeyStore(tmp_path / "no" / "ledger.db").create("acme", "", 1)


def test_two_stores_of_one_file_see_each_other(store):
    other = KeyStore(store.path.with_name("ledger.db"))
    _, key = store.create("acme", "", 1)
    assert other.revoke(key.key_id, 2)
    assert store.keys()[0].revoked_ns == 2
