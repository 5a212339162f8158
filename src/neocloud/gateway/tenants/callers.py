"""Who calls, and from where."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

import msgspec

from neocloud.gateway.apis.refusals import ApiError
from neocloud.gateway.tenants.rules import Rules, TenantRule
from neocloud.ledger import ApiKey, KeyRing
from neocloud.wire import Exchange, header_lines

METRO_HEADER = b"x-neocloud-metro"
EXPLAIN_HEADER = b"x-neocloud-explain"
_MAX_METROS = 4096
_BEARER = header_lines(((b"www-authenticate", b"Bearer"),))
_MAX_ADDRESSES = 16_384


class Ranges:
    """Metros by the client's address, the longest prefix first.

    Args:
        table: metro by range, such as `10.1.0.0/16`; checked before.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self._ranges = sorted(
            ((ipaddress.ip_network(text, strict=False), metro) for text, metro in table.items()),
            key=lambda each: -each[0].prefixlen,
        )
        self._known: dict[str, str | None] = {}

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def metro(self, address: str) -> str | None:
        """Metro of an address; None if it lies in no range."""
        if address in self._known:
            return self._known[address]
        try:
            where = ipaddress.ip_address(address)
        except ValueError:
            return None
        found = next((metro for each, metro in self._ranges if where in each), None)
        if len(self._known) < _MAX_ADDRESSES:
            self._known[address] = found
        return found


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls and from where, as header fields and address say.

    Attributes:
        key: that it sent.
        tenant: whose key it is.
        salt: of the tenant's prefix cache.
        salt_bytes: the same, for hashing.
        metro: where the caller is.
        round_trips: seconds from there to each site.
        explain: True if it asks how it was routed.
        ring: keys that this was decided by.
        rules: likewise.
    """

    key: ApiKey
    tenant: TenantRule
    salt: str
    salt_bytes: bytes
    metro: str
    round_trips: dict[str, float]
    explain: bool
    ring: KeyRing
    rules: Rules


class Callers:
    """Keys and places of those who call.

    Attributes:
        keys: who may call; replaced when keys are made or revoked.
    """

    def __init__(self, rules: Rules, keys: KeyRing) -> None:
        self.keys = keys
        self.change(rules)

    def change(self, rules: Rules) -> None:
        """Let other rules hold."""
        self._rules = rules
        self._ranges = Ranges(rules.ranges)
        self._salts = {tenant: rules.salt_of(tenant) for tenant in rules.tenants}
        self._round_trips: dict[str, dict[str, float]] = {}

    def find(self, exchange: Exchange) -> Caller:
        """Who sent this request; decided once for a connection that repeats its header fields.

        Raises:
            ApiError: 401, there is no key, or it is not known; 400, the metro does not exist.
        """
        known = exchange.notes.get("caller")
        if isinstance(known, Caller) and known.ring is self.keys and known.rules is self._rules:
            return known
        key, tenant = self._who(exchange)
        metro, round_trips = self._where(exchange)
        salt = self._salts[key.tenant]
        caller = Caller(
            key=key,
            tenant=tenant,
            salt=salt,
            salt_bytes=salt.encode(),
            metro=metro,
            round_trips=round_trips,
            explain=EXPLAIN_HEADER in exchange.headers,
            ring=self.keys,
            rules=self._rules,
        )
        exchange.notes["caller"] = caller
        return caller

    def tenant(self, exchange: Exchange) -> TenantRule:
        """Rule of the tenant whose key was sent.

        Raises:
            ApiError: 401, as `find`.
        """
        return self._who(exchange)[1]

    def _who(self, exchange: Exchange) -> tuple[ApiKey, TenantRule]:
        headers = exchange.headers
        told = headers.get(b"authorization")
        if told is not None:
            scheme, _, presented = told.partition(b" ")
            if scheme.lower() != b"bearer":
                presented = b""
        else:
            presented = headers.get(b"x-api-key", b"")
        if not presented:
            raise _unknown("send your key as `Authorization: Bearer KEY` or `x-api-key: KEY`")
        key = self.keys.find(presented.strip())
        tenant = self._rules.tenants.get(key.tenant) if key is not None else None
        if key is None or tenant is None:
            raise _unknown("this key is not known, or was revoked")
        return key, tenant

    def _where(self, exchange: Exchange) -> tuple[str, dict[str, float]]:
        told = exchange.headers.get(METRO_HEADER)
        metro = self._rules.default_metro
        if told is not None:
            metro = told.decode("ascii", "replace")
        elif self._ranges:
            metro = self._ranges.metro(exchange.peer) or metro
        known = self._round_trips.get(metro)
        if known is None:
            known = self._rules.round_trips(metro)
            if known is None:
                raise ApiError(
                    400, f"{METRO_HEADER.decode()}: there is no metro {metro[:64]!r}", "bad_metro"
                )
            if len(self._round_trips) < _MAX_METROS:
                self._round_trips[metro] = known
        return metro, known


def _unknown(message: str) -> ApiError:
    return ApiError(401, message, "invalid_api_key", lines=_BEARER)
