"""What `neocloud up` serves, from a cloud file and its plan, or from servers that run already."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neocloud.cli.cloud_file import open_cloud, open_plan, plan_beside
from neocloud.cli.engines_here import EnginesHere
from neocloud.cli.failure import Failure
from neocloud.cli.running_plan import RunningPlan
from neocloud.engines import (
    Endpoint,
    EngineAnswerError,
    TokenPrice,
    endpoint_of_url,
    list_models,
    metrics_family,
)
from neocloud.engines.remote import remote_endpoint
from neocloud.gateway import (
    DEFAULT_TENANT,
    REMOTE_SITE,
    Doors,
    Emulation,
    Listen,
    Remote,
    Settings,
    TlsFiles,
    cache_secret,
    check_doors,
    observing_of,
    rules_of_cloud,
    rules_without_file,
)
from neocloud.ledger import LedgerPlace, given_key, keys_of, ledger_place
from neocloud.quotas import TenantLimit
from neocloud.spec import Cloud
from neocloud.spec.serving import TokenPrices
from neocloud.wire import Client, UpstreamError

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Plan

KEY = "NEOCLOUD_KEY"
UPSTREAM_KEY = "NEOCLOUD_UPSTREAM_KEY"
LISTEN_WITHOUT_FILE = "127.0.0.1:9400"
LEDGER_WITHOUT_FILE = "sqlite:///usage.db"
_BODY_WITHOUT_FILE = 4 * 2**20
_FAMILIES = {"vllm:": "vllm", "sglang:": "sglang", "llamacpp:": "llamacpp"}
"""Kinds of engines by the family of their metrics."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says. None, and an empty tuple, where it is silent."""

    cloud_file: Path | None = None
    plan_path: Path | None = None
    upstreams: tuple[str, ...] = ()
    model: str | None = None
    start_engines: bool = False
    sites: tuple[str, ...] = ()
    listen: str | None = None
    admin_listen: str | None = None
    ledger: str | None = None
    workers: int | None = None
    limit: TenantLimit = TenantLimit()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    grace_s: float = 30.0


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """Settings, and what must be told beside them.

    Attributes:
        settings: of the gateway.
        first_key: a key that was made for the first tenant; empty if there was one.
        first_key_id: its id.
        notes: what else is to be known.
    """

    settings: Settings
    first_key: str = ""
    first_key_id: str = ""
    notes: tuple[str, ...] = ()


class Serving:
    """Reads what is to be served: at the start, and again at each reload.

    Args:
        asked: by the command line.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._here = EnginesHere(asked.grace_s)
        self._plan = RunningPlan()

    def read(self) -> Served:
        """Read the file, or ask the servers.

        Raises:
            Failure: something is wrong with what was asked.
            LedgerError: the ledger cannot be used.
        """
        return self._read(_unchecked)

    def begin(self) -> Served:
        """As `read`; a first key is made where nobody has one.

        What is most often wrong with a start is looked at before the ledger's place is touched, so
        that a start that fails leaves nothing there.

        Raises:
            Failure, LedgerError: as `read`.
            SettingsError: an address cannot be listened on, or a certificate cannot be used.
        """
        found = self._read(check_doors)
        if self._asked.cloud_file is not None or found.settings.given_keys:
            return found
        text, key_id = _first_key(found.settings.ledger)
        return msgspec.structs.replace(found, first_key=text, first_key_id=key_id)

    def _read(self, check: Callable[[Doors], None]) -> Served:
        file = self._asked.cloud_file
        return self._without_file(check) if file is None else self._with_file(file, check)

    def _with_file(self, cloud_file: Path, check: Callable[[Doors], None]) -> Served:
        asked = self._asked
        if asked.model is not None or not asked.limit.limits_nothing:
            raise Failure(
                "--model and limits stand in for a cloud file: with one, they belong in it"
            )
        cloud, catalog = open_cloud(cloud_file)
        path = plan_beside(cloud_file, asked.plan_path)
        plan, notes = self._plan.read(cloud, lambda: open_plan(path, cloud))
        endpoints = _named(asked.upstreams, plan)
        named = {endpoint.replica for endpoint in endpoints}
        starts = self._here.of_plan(plan, cloud, asked.sites, named) if asked.start_engines else ()
        named |= {start.endpoint.replica for start in starts}
        unserved = [
            replica
            for p in plan.placements
            if p.engine.kind != "emulated"
            for replica in p.replica_ids()
            if replica not in named
        ]
        emulated = any(p.engine.kind == "emulated" for p in plan.placements)
        remotes = _remotes(cloud)
        if not emulated and not named and not remotes:
            raise Failure(
                f"{cloud.file}: all engines of the plan are real and none is named. Start those of "
                "this machine with --start-engines --site SITE, or start them with the plan's "
                f"flags and name each: --upstream {unserved[0]}=http://HOST:PORT"
            )
        key = os.environ.get(KEY)
        if key and len(cloud.tenants) > 1:
            raise Failure(f"{KEY} is for a single tenant; make keys with `neocloud key create`")
        gateway = cloud.gateway
        doors = Doors(
            listen=address(asked.listen or gateway.listen),
            admin=_admin(asked.admin_listen or gateway.admin_listen),
            tls=_tls(asked, cloud, cloud_file.parent),
        )
        check(doors)
        place = _place(asked, cloud, cloud_file.parent)
        secret = cache_secret(place, os.environ)
        prices = _kept_prices(cloud, place)
        settings = Settings(
            rules=rules_of_cloud(cloud, catalog, prices, plan.rented, secret),
            plan=plan,
            emulation=Emulation(cloud_path=cloud_file, plan_path=path) if emulated else None,
            starts=starts,
            endpoints=endpoints,
            remotes=remotes,
            ledger=place,
            given_keys=(given_key(key, next(iter(cloud.tenants))),) if key else (),
            listen=doors.listen,
            max_body_bytes=gateway.max_body_bytes,
            workers=asked.workers or gateway.workers,
            quotas=gateway.quotas,
            observing=observing_of(cloud, catalog, plan, cloud_file.parent),
            tls=doors.tls,
            admin=doors.admin,
            grace_s=asked.grace_s,
        )
        not_served = tuple(f"not served: {r} (no --upstream names it)" for r in unserved)
        return Served(settings=settings, notes=(*notes, *not_served))

    def _without_file(self, check: Callable[[Doors], None]) -> Served:
        asked = self._asked
        if asked.start_engines or asked.sites:
            raise Failure("--start-engines and --site belong to a cloud file: name it first")
        if not asked.upstreams and asked.model is None:
            raise Failure(
                "name a cloud file, a model file, or a server: neocloud up --upstream "
                "http://HOST:PORT"
            )
        starts = () if asked.model is None else (self._here.of_model(asked.model),)
        endpoints = asyncio.run(_ask(asked.upstreams))
        doors = Doors(
            listen=address(asked.listen or LISTEN_WITHOUT_FILE),
            admin=_admin(asked.admin_listen),
            tls=_tls(asked, None, Path()),
        )
        check(doors)
        place = ledger_place(asked.ledger or LEDGER_WITHOUT_FILE, Path())
        key = os.environ.get(KEY)
        models = dict.fromkeys(e.model for e in (*(s.endpoint for s in starts), *endpoints))
        limit = None if asked.limit.limits_nothing else asked.limit
        settings = Settings(
            rules=rules_without_file(models, cache_secret(place, os.environ), limit),
            starts=starts,
            endpoints=endpoints,
            ledger=place,
            given_keys=(given_key(key, DEFAULT_TENANT),) if key else (),
            listen=doors.listen,
            max_body_bytes=_BODY_WITHOUT_FILE,
            workers=asked.workers or 1,
            tls=doors.tls,
            admin=doors.admin,
            grace_s=asked.grace_s,
        )
        return Served(settings=settings)


def _unchecked(doors: Doors) -> None:
    """At a reload: the gateway itself listens there, and looks at a new certificate."""
    del doors


def address(text: str) -> Listen:
    """Host and port of `--listen`."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise Failure(f"{text!r} is no address to listen on: write it as {LISTEN_WITHOUT_FILE}")
    return Listen(host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port))


def _admin(text: str | None) -> Listen | None:
    return None if text is None else address(text)


def _place(asked: Asked, cloud: Cloud, folder: Path) -> LedgerPlace:
    segments = folder / cloud.gateway.segments if cloud.gateway.segments else None
    if asked.ledger:
        return ledger_place(asked.ledger, Path(), segments)
    return ledger_place(cloud.gateway.ledger, folder, segments)


def _tls(asked: Asked, cloud: Cloud | None, folder: Path) -> TlsFiles | None:
    """Files of the certificate: the command line's, from the working folder, or the file's own."""
    certificate, key = asked.tls_certificate, asked.tls_key
    if certificate is None and key is None and cloud is not None:
        stated = cloud.gateway.tls_certificate, cloud.gateway.tls_key
        certificate, key = (None if text is None else folder / text for text in stated)
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise Failure("TLS needs both: the certificate (tls_certificate) and its key (tls_key)")
    return TlsFiles(certificate, key)


def _remotes(cloud: Cloud) -> tuple[Remote, ...]:
    found = []
    if cloud.gateway.remotes and REMOTE_SITE in cloud.sites:
        raise Failure(
            f"{cloud.where(f'sites.{REMOTE_SITE}')}: remote servers count as the site "
            f"{REMOTE_SITE!r}; call this site otherwise"
        )
    for key, remote in cloud.gateway.remotes.items():
        try:
            endpoint = remote_endpoint(
                remote.url,
                replica=f"{REMOTE_SITE}/{key}/{remote.model}/0",
                model=remote.served_as or remote.model,
                key_env=remote.key_env,
                price=_price(remote.price_per_mtok, cloud.currency),
            )
        except ValueError as error:
            raise Failure(f"{cloud.where(f'gateway.remotes.{key}')}: {error}") from None
        found.append(Remote(endpoint=endpoint, model=remote.model, metro=remote.metro))
    return tuple(found)


def _price(stated: TokenPrices | None, currency: str) -> TokenPrice | None:
    if stated is None:
        return None
    cached = None if stated.cached_input < Decimal(0) else stated.cached_input
    return TokenPrice.per_mtok(currency, stated.input, stated.output, cached)


def _kept_prices(cloud: Cloud, place: LedgerPlace) -> str:
    """Id of the file's prices, kept beside the ledger before anything is admitted under them.

    An event is rated at the prices of its admission, whatever the file says later.
    """
    # Only with a file: the room loads numpy, which a gateway without one never needs.
    from neocloud.books.accounts import BooksError, keep_version
    from neocloud.books.prices import price_version

    version = price_version(cloud)
    try:
        keep_version(place, version, time.time_ns())
    except BooksError as error:
        raise Failure(str(error)) from None
    return version.id


def _named(upstreams: Sequence[str], plan: Plan) -> tuple[Endpoint, ...]:
    known = {replica: p for p in plan.placements for replica in p.replica_ids()}
    endpoints = []
    for text in upstreams:
        replica, found, url = text.partition("=")
        if not found or replica not in known:
            raise Failure(
                f"--upstream {text}: with a file, write REPLICA=URL with a replica of the plan, "
                f"such as {next(iter(known))}"
            )
        placement = known[replica]
        kind = placement.engine.kind
        endpoints.append(
            _endpoint(url, replica, placement.model, "remote" if kind == "emulated" else kind)
        )
    return tuple(endpoints)


def withdraw_first_key(found: Served) -> None:
    """Revoke the first key, which nobody has seen: the next start makes another and shows it.

    Raises:
        LedgerError: the keys cannot be had.
    """
    if found.first_key_id:
        keys_of(found.settings.ledger).revoke(found.first_key_id, time.time_ns())


def _first_key(place: LedgerPlace) -> tuple[str, str]:
    """Make a key for the first tenant, unless it has one: its text and id, or nothing twice."""
    keys = keys_of(place)
    now_ns = time.time_ns()
    if any(key.tenant == DEFAULT_TENANT and key.in_force(now_ns) for key in keys.keys()):  # noqa: SIM118
        return "", ""
    text, key = keys.create(DEFAULT_TENANT, "first", now_ns)
    return text, key.key_id


def _endpoint(url: str, replica: str, model: str, kind: str) -> Endpoint:
    try:
        return endpoint_of_url(
            url, replica=replica, model=model, kind=kind, key=os.environ.get(UPSTREAM_KEY, "")
        )
    except ValueError as error:
        raise Failure(f"--upstream: {error}") from None


async def _ask(upstreams: Sequence[str]) -> tuple[Endpoint, ...]:
    """Ask each server for its models; one replica for each of them."""
    client = Client()
    endpoints: list[Endpoint] = []
    try:
        for number, url in enumerate(upstreams):
            probe = _endpoint(url, f"local/upstream/-/{number}", "-", "remote")
            pool = client.pool(probe.address)
            try:
                models = await list_models(pool, probe)
            except (UpstreamError, EngineAnswerError) as error:
                raise Failure(f"--upstream {url}: {error}") from None
            if not models:
                raise Failure(f"--upstream {url}: it serves no model")
            kind = _FAMILIES.get(await metrics_family(pool, probe, timeout_s=2.0), "remote")
            endpoints += [
                _endpoint(url, f"local/upstream/{model}/{number}", model, kind) for model in models
            ]
    finally:
        await client.close()
    return tuple(endpoints)
