"""Tenants' keys by the admin API, as `neocloud key` has them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Annotated, TypeVar

import msgspec

from neocloud.gateway.operation.admin_error import AdminError
from neocloud.ledger import ApiKey, Keys
from neocloud.units import SECOND_NS, format_utc

_MAX_GRACE_S = 366 * 86_400.0
Read = TypeVar("Read")


class KeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it begins, no secret, no hash. Times are UTC; `revoked` may lie ahead."""

    key_id: str
    prefix: str
    tenant: str
    name: str
    created: str
    revoked: str | None
    in_force: bool


class KeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """A key, shown this once."""

    key: str
    key_id: str
    tenant: str
    name: str


class _Create(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tenant: str
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""


class _Rotate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    grace_s: Annotated[float, msgspec.Meta(ge=0.0, le=_MAX_GRACE_S)] = 0.0


class AdminKeys:
    """Makes, lists, rotates and revokes keys; they hold at the gateways within a second.

    Args:
        keys: where they lie.
        tenants: who there is, asked for each new key.
    """

    def __init__(self, keys: Keys, tenants: Callable[[], Collection[str]]) -> None:
        self._keys = keys
        self._tenants = tenants

    async def listed(self) -> tuple[KeyShown, ...]:
        """All of them, revoked ones too."""
        now_ns = time.time_ns()
        return tuple(_shown(key, now_ns) for key in await asyncio.to_thread(self._keys.keys))

    async def create(self, body: bytes) -> KeyMade:
        """Make one for a tenant."""
        asked = _read(body, _Create)
        if asked.tenant not in self._tenants():
            raise AdminError(404, "no_tenant", f"there is no tenant {asked.tenant[:200]!r}")
        text, key = await asyncio.to_thread(
            self._keys.create, asked.tenant, asked.name, time.time_ns()
        )
        return _made(text, key)

    async def rotate(self, key_id: str, body: bytes) -> KeyMade:
        """Make one in the place of another, which is taken for `grace_s` more."""
        asked = _read(body, _Rotate)
        now_ns = time.time_ns()
        made = await asyncio.to_thread(
            self._keys.rotate, _id(key_id), now_ns, now_ns + round(asked.grace_s * SECOND_NS)
        )
        if made is None:
            raise _none(key_id)
        return _made(*made)

    async def revoke(self, key_id: str) -> KeyShown:
        """Refuse one from now on."""
        now_ns = time.time_ns()
        if not await asyncio.to_thread(self._keys.revoke, _id(key_id), now_ns):
            raise _none(key_id)
        kept = await asyncio.to_thread(self._keys.keys)
        return next(_shown(key, now_ns) for key in kept if key.key_id == _id(key_id))


def _read(body: bytes, kind: type[Read]) -> Read:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise AdminError(400, "bad_request", f"the body: {error}") from None


def _id(key_id: str) -> str:
    """The id, where it was given as a key begins."""
    return key_id.removeprefix("nc-")


def _none(key_id: str) -> AdminError:
    return AdminError(404, "no_key", f"there is no key {key_id[:200]!r} in force")


def _made(text: str, key: ApiKey) -> KeyMade:
    return KeyMade(key=text, key_id=key.key_id, tenant=key.tenant, name=key.name)


def _shown(key: ApiKey, now_ns: int) -> KeyShown:
    return KeyShown(
        key_id=key.key_id,
        prefix=key.prefix,
        tenant=key.tenant,
        name=key.name,
        created=format_utc(key.created_ns),
        revoked=None if key.revoked_ns is None else format_utc(key.revoked_ns),
        in_force=key.in_force(now_ns),
    )
