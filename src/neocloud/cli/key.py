"""`neocloud key`: make, list and revoke API keys."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from neocloud.catalog import nearest
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import check_tenant, ledger_failures, ledger_of
from neocloud.cli.tables import console, table
from neocloud.ledger import ApiKey, KeyStore
from neocloud.units import format_utc

_FILE = click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is shown, once."""

    key: str
    key_id: str
    tenant: str
    name: str


class ListedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is listed: no secret, no hash. Times are UTC."""

    key_id: str
    tenant: str
    name: str
    created: str
    revoked: str | None


@click.group(name="key")
def command() -> None:
    """Make, list and revoke API keys.

    Keys lie beside the ledger as hashes: what was not noted when it was made is lost.
    """


@command.command(name="create")
@_FILE
@click.option("--tenant", required=True, help="Whose key it is: a tenant of the file.")
@click.option("--name", default="", help="A name of your own to know it by.")
@click.option("--json", "as_json", is_flag=True, help="Print key and id as JSON.")
def create(cloud_file: Path, tenant: str, name: str, as_json: bool) -> None:
    """Make a key for a tenant of CLOUD_FILE and print it: this once, and never again."""
    cloud, _ = open_cloud(cloud_file)
    check_tenant(tenant, cloud.tenants, cloud.file)
    with ledger_failures():
        text, key = KeyStore(ledger_of(cloud, cloud_file)).create(tenant, name, time.time_ns())
    if as_json:
        made = NewKey(key=text, key_id=key.key_id, tenant=tenant, name=name)
        click.echo(msgspec.json.format(msgspec.json.encode(made), indent=2).decode())
        return
    click.echo(text)
    click.echo(f"Key {key.key_id} of {tenant}. It is not shown again.", err=True)


@command.command(name="list")
@_FILE
@click.option("--json", "as_json", is_flag=True, help="Print the keys as JSON.")
def list_keys(cloud_file: Path, as_json: bool) -> None:
    """List the keys of CLOUD_FILE, revoked ones too; the secrets are not kept."""
    cloud, _ = open_cloud(cloud_file)
    with ledger_failures():
        kept = KeyStore(ledger_of(cloud, cloud_file)).keys()
    keys = [_listed(key) for key in kept]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(keys), indent=2).decode())
        return
    if not keys:
        click.echo(f"No keys yet. Make one: neocloud key create {cloud_file} --tenant NAME")
        return
    console().print(
        table(
            f"{cloud.name}: keys",
            [("key", ""), ("tenant", ""), ("name", ""), ("created", ""), ("revoked", "")],
            [[k.key_id, k.tenant, k.name, k.created, k.revoked or ""] for k in keys],
        )
    )


@command.command(name="revoke")
@_FILE
@click.argument("key_id")
def revoke(cloud_file: Path, key_id: str) -> None:
    """Refuse the key KEY_ID of CLOUD_FILE from now on; its use stays on record."""
    cloud, _ = open_cloud(cloud_file)
    store = KeyStore(ledger_of(cloud, cloud_file))
    with ledger_failures():
        kept = store.keys()
        keys = {key.key_id: key for key in kept}
        _check_in_force(key_id, keys, cloud_file)
        store.revoke(key_id, time.time_ns())
    click.echo(f"Key {key_id} of {keys[key_id].tenant} is revoked.")


def _listed(key: ApiKey) -> ListedKey:
    return ListedKey(
        key_id=key.key_id,
        tenant=key.tenant,
        name=key.name,
        created=format_utc(key.created_ns),
        revoked=None if key.revoked_ns is None else format_utc(key.revoked_ns),
    )


def _check_in_force(key_id: str, keys: dict[str, ApiKey], cloud_file: Path) -> None:
    if key_id not in keys:
        near = nearest(key_id, keys)
        hint = f"Nearest: {', '.join(near)}. " if near else ""
        raise Failure(f"no key {key_id!r}. {hint}All keys: neocloud key list {cloud_file}")
    revoked_ns = keys[key_id].revoked_ns
    if revoked_ns is not None:
        raise Failure(f"key {key_id} was revoked before, at {format_utc(revoked_ns)}.")
