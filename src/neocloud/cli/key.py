"""`neocloud key`: make, list, rotate and revoke API keys."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from neocloud.catalog import nearest
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import check_tenant, ledger_failures, ledger_named, ledger_of
from neocloud.cli.tables import console, table
from neocloud.ledger import ApiKey, Keys, LedgerPlace, keys_of
from neocloud.spec import Cloud
from neocloud.units import SECOND_NS, format_utc

_CLOUD = click.argument("cloud_file", required=False)
_WORDS = click.argument("words", nargs=-1, required=True, metavar="[CLOUD_FILE] KEY_ID")
_LEDGER = click.option(
    "--ledger", help="Without a file: the ledger, as sqlite:///usage.db or postgresql://HOST/NAME."
)
_DEFAULT_TENANT = "default"
"""The one that `neocloud up` makes without a file."""
_JSON_KEY = click.option("--json", "as_json", is_flag=True, help="Print key and id as JSON.")


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is shown, once."""

    key: str
    key_id: str
    tenant: str
    name: str


class ListedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is listed: how it begins, no secret, no hash. Times are UTC.

    `revoked` is from when on it is refused, which may lie ahead; `in_force` says which.
    """

    key_id: str
    prefix: str
    tenant: str
    name: str
    created: str
    revoked: str | None
    in_force: bool


@click.group(name="key")
def command() -> None:
    """Make, list, rotate and revoke API keys.

    Keys lie beside the ledger, or in it where it is PostgreSQL, as hashes: what was not noted when
    it was made is lost. For CLOUD_FILE a ledger may stand, as sqlite:///ledger.db, or --ledger.
    """


@command.command(name="create")
@_CLOUD
@_LEDGER
@click.option(
    "--tenant", help="Whose key it is: a tenant of the file; without one, `default` unless given."
)
@click.option("--name", default="", help="A name of your own to know it by.")
@_JSON_KEY
def create(
    cloud_file: str | None, ledger: str | None, tenant: str | None, name: str, as_json: bool
) -> None:
    """Make a key for a tenant of CLOUD_FILE and print it: this once, and never again."""
    with ledger_failures():
        keys, cloud, _, _ = _opened(cloud_file, ledger)
        if tenant is None:
            tenant = _only_tenant(cloud)
        if cloud is not None:
            check_tenant(tenant, cloud.tenants, cloud.file)
        text, key = keys.create(tenant, name, time.time_ns())
    note = f"Key {key.key_id} of {tenant}. It is not shown again."
    if cloud is None and tenant != _DEFAULT_TENANT:
        note += f" A gateway without a cloud file refuses it: its one tenant is {_DEFAULT_TENANT}."
    _tell(text, key, as_json, note)


@command.command(name="list")
@_CLOUD
@_LEDGER
@click.option("--json", "as_json", is_flag=True, help="Print the keys as JSON.")
def list_keys(cloud_file: str | None, ledger: str | None, as_json: bool) -> None:
    """List the keys of CLOUD_FILE by how they begin, revoked ones too; secrets are not kept."""
    with ledger_failures():
        keys, cloud, shown, place = _opened(cloud_file, ledger)
        # That of a cloud's file is made when the cloud first runs: no mistake if it is not there.
        path = place.path if cloud is None else None
        if path is not None and not path.exists() and not place.keys.exists():
            raise Failure(
                f"no ledger at {path}, and no keys beside it. `neocloud up` makes a ledger; "
                f"a first key may come before: neocloud key create {shown}"
            )
        now_ns = time.time_ns()
        kept = keys.keys()
    listed = [_listed(key, now_ns) for key in kept]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(listed), indent=2).decode())
        return
    if not listed:
        tenant = "" if ledger is not None else " --tenant NAME"
        click.echo(f"No keys yet. Make one: neocloud key create {shown}{tenant}")
        return
    console().print(
        table(
            f"{shown}: keys",
            [("key", ""), ("tenant", ""), ("name", ""), ("created", ""), ("revoked", "")],
            [[f"{k.prefix}-…", k.tenant, k.name, k.created, _ended(k)] for k in listed],
        )
    )


@command.command(name="rotate")
@_WORDS
@_LEDGER
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(min=0.0, max=366 * 86_400.0),
    default=0.0,
    show_default=True,
    help="Seconds for which the old key is taken beside the new one.",
)
@_JSON_KEY
def rotate(words: tuple[str, ...], ledger: str | None, grace_s: float, as_json: bool) -> None:
    """Make a new key for tenant and name of the key KEY_ID of CLOUD_FILE, and end the old one.

    The new key is printed: this once, and never again.
    """
    cloud_file, key_id = _file_and_key(words)
    with ledger_failures():
        keys, _, shown, _ = _opened(cloud_file, ledger)
        now_ns = time.time_ns()
        old = _in_force(key_id, keys, shown, now_ns)
        end_ns = now_ns + round(grace_s * SECOND_NS)
        made = keys.rotate(old.key_id, now_ns, end_ns)
    if made is None:
        raise Failure(f"key {old.key_id} was revoked meanwhile; no key was made.")
    text, key = made
    end = "is revoked" if not grace_s else f"ends at {format_utc(end_ns)}"
    note = f"Key {key.key_id} of {key.tenant}. It is not shown again. Key {old.key_id} {end}."
    _tell(text, key, as_json, note)


@command.command(name="revoke")
@_WORDS
@_LEDGER
def revoke(words: tuple[str, ...], ledger: str | None) -> None:
    """Refuse the key KEY_ID of CLOUD_FILE from now on; its use stays on record."""
    cloud_file, key_id = _file_and_key(words)
    with ledger_failures():
        keys, _, shown, _ = _opened(cloud_file, ledger)
        now_ns = time.time_ns()
        key = _in_force(key_id, keys, shown, now_ns)
        keys.revoke(key.key_id, now_ns)
    click.echo(f"Key {key.key_id} of {key.tenant} is revoked.")


def _file_and_key(words: tuple[str, ...]) -> tuple[str | None, str]:
    """The file, where one is named, and the key's id."""
    if len(words) > 2:
        raise Failure(f"one key at a time: {' '.join(words[:4])}")
    return (None, words[0]) if len(words) == 1 else (words[0], words[1])


def _only_tenant(cloud: Cloud | None) -> str:
    """The tenant where none is named."""
    if cloud is None:
        return _DEFAULT_TENANT
    if len(cloud.tenants) > 1:
        raise Failure(f"whose key? --tenant, one of {', '.join(cloud.tenants)}")
    return next(iter(cloud.tenants))


def _opened(
    cloud_file: str | None, ledger: str | None
) -> tuple[Keys, Cloud | None, str, LedgerPlace]:
    """The keys of a cloud's file, or of a ledger without one; how to show which; and the ledger."""
    if cloud_file is not None and ledger is not None:
        raise Failure("name the cloud's file or --ledger, not both")
    if ledger is not None:
        place = ledger_named(ledger, None)
        shown = ledger if place.path is not None else place.name
        return keys_of(place), None, f"--ledger {shown}", place
    if cloud_file is None:
        raise Failure("whose keys? Name the cloud's file, or --ledger sqlite:///usage.db")
    if "://" in cloud_file:
        place = ledger_named(cloud_file, None)
        shown = cloud_file if place.path is not None else place.name
        return keys_of(place), None, shown, place
    cloud, _ = open_cloud(Path(cloud_file))
    place = ledger_of(cloud, Path(cloud_file))
    return keys_of(place), cloud, cloud_file, place


def _tell(text: str, key: ApiKey, as_json: bool, note: str) -> None:
    if as_json:
        made = NewKey(key=text, key_id=key.key_id, tenant=key.tenant, name=key.name)
        click.echo(msgspec.json.format(msgspec.json.encode(made), indent=2).decode())
        return
    click.echo(text)
    click.echo(note, err=True)


def _listed(key: ApiKey, now_ns: int) -> ListedKey:
    return ListedKey(
        key_id=key.key_id,
        prefix=key.prefix,
        tenant=key.tenant,
        name=key.name,
        created=format_utc(key.created_ns),
        revoked=None if key.revoked_ns is None else format_utc(key.revoked_ns),
        in_force=key.in_force(now_ns),
    )


def _ended(key: ListedKey) -> str:
    if key.revoked is None:
        return ""
    return f"from {key.revoked} on" if key.in_force else key.revoked


def _in_force(key_id: str, keys: Keys, shown: str, now_ns: int) -> ApiKey:
    """The key of an id, or of how it begins: `nc-` and the id."""
    kept = keys.keys()
    known: Mapping[str, ApiKey] = {key.key_id: key for key in kept}
    key = known.get(key_id.removeprefix("nc-"))
    if key is None:
        near = nearest(key_id, known)
        hint = f"Nearest: {', '.join(near)}. " if near else ""
        raise Failure(f"no key {key_id!r}. {hint}All keys: neocloud key list {shown}")
    if not key.in_force(now_ns):
        assert key.revoked_ns is not None, "it has come to its end"
        raise Failure(f"key {key.key_id} was revoked before, at {format_utc(key.revoked_ns)}.")
    return key
