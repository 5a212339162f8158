"""What a gateway is told at its start and at each reload, as data that can be sent to a process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neocloud.engines import Endpoint, EngineStart
from neocloud.gateway.fleet.remotes import Remote
from neocloud.gateway.metering.observing import Observing
from neocloud.gateway.tenants.rules import Rules
from neocloud.ledger import ApiKey, LedgerPlace
from neocloud.units import Period

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Plan


class Emulation(msgspec.Struct, frozen=True, kw_only=True):
    """Files from which the emulated engines take what they emulate."""

    cloud_path: Path
    plan_path: Path


class Listen(msgspec.Struct, frozen=True):
    """An address to listen on; port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class TlsFiles(msgspec.Struct, frozen=True):
    """Files of a certificate chain and of its key, PEM."""

    certificate: Path
    key: Path


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """Where a gateway listens, as in `Settings`."""

    listen: Listen
    admin: Listen | None
    tls: TlsFiles | None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What `run` needs.

    Attributes:
        rules: what may be used by whom.
        plan: what stands where; None before any server without a cloud file.
        emulation: the emulated engines to start; None starts none.
        starts: engines to start on this machine.
        endpoints: engines that run already.
        remotes: servers of others, for what would be late here.
        ledger: where usage goes.
        given_keys: keys beside those of the ledger.
        listen: where clients come.
        max_body_bytes: largest request body.
        workers: processes that serve.
        quotas: URL of the store that several gateways share for limits; None has none.
        tls: certificate of the door; None speaks plain HTTP.
        admin: where the operator comes; None opens no such door.
        observing: what is watched beside requests and replicas.
        grace_s: how long running answers may take once it is told to stop.
    """

    rules: Rules
    plan: Plan | None = None
    emulation: Emulation | None = None
    starts: Sequence[EngineStart] = ()
    endpoints: Sequence[Endpoint] = ()
    remotes: Sequence[Remote] = ()
    ledger: LedgerPlace
    given_keys: Sequence[ApiKey] = ()
    listen: Listen
    max_body_bytes: int
    workers: int = 1
    quotas: str | None = None
    tls: TlsFiles | None = None
    admin: Listen | None = None
    observing: Observing = Observing()
    grace_s: float = 30.0


class Up(msgspec.Struct, frozen=True, kw_only=True):
    """What is told once the gateway listens."""

    listen: Listen
    admin: Listen | None
    tls: bool
    workers: int
    replicas: int
    emulated: int
    recovered: int
    keys: int


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which totals are asked for; None is all."""

    tenant: str | None = None
    period: Period | None = None
    by: tuple[str, ...] = ()


class SettingsError(Exception):
    """What was asked for cannot hold; the message says what is wrong, and where."""


class Management(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway asks of whoever started it. All of it may block, and is run in a thread.

    Attributes:
        reread: what holds now, by the same files and options as at the start, and notes on it.
            Raises `SettingsError` or `LedgerError` if they do not hold.
        token: the admin API's token as it is now; empty if there is none.
        usage: totals of the ledger as JSON. Raises `SettingsError` for a wrong query.
    """

    reread: Callable[[], tuple[Settings, tuple[str, ...]]]
    token: Callable[[], str]
    usage: Callable[[UsageQuery], bytes]
