"""The secret from which tenants' cache salts are made: one for all gateways before an engine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from neocloud.ledger import LedgerError, LedgerPlace

VARIABLE = "NEOCLOUD_CACHE_SECRET"
_BYTES = 32


def cache_secret(place: LedgerPlace, environment: Mapping[str, str]) -> bytes:
    """The secret of the environment, or of the file beside the keys, made when it is not there.

    Gateways on several machines find what others have cached only if they share it: give them the
    same `NEOCLOUD_CACHE_SECRET`. It parts tenants' caches from each other; no data is enciphered.

    Raises:
        LedgerError: the file cannot be read or made.
    """
    given = environment.get(VARIABLE)
    if given:
        return given.encode()
    path = place.keys.with_name(place.keys.name + ".salt")
    try:
        if place.path is None:  # the folder of a ledger that is a file must be there already
            path.parent.mkdir(parents=True, exist_ok=True)
        return _kept(path)
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}; is its folder there and ours?") from None


def _kept(path: Path) -> bytes:
    if not path.exists():
        made = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(made, path)
        except FileExistsError:
            pass  # another process was first; its secret holds
        finally:
            made.unlink()
    return path.read_bytes()
