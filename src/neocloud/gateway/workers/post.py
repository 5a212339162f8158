"""A worker's place: which of a gateway's processes it is, and by which name the quotas know it."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import msgspec

from neocloud.ledger import LedgerError, LedgerPlace
from neocloud.ledger.segments import worker_folders

_ID = re.compile(r"[0-9a-f]{32}")


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's place.

    Attributes:
        number: of the worker, no other's at the same time.
        gateway: id of the gateway, the same after each start.
        started_ns: when the gateway was started, which may be before this worker was.
    """

    number: int
    gateway: str
    started_ns: int

    @property
    def gateway_number(self) -> int:
        """The part of the gateway's id that its requests' ids have."""
        return int(self.gateway[:4], 16)

    def name_of(self, number: int) -> str:
        """By what name the quotas know a worker of this gateway."""
        return f"{self.gateway}-{number}"


def gateway_id(place: LedgerPlace) -> str:
    """Id of the gateway whose segments lie there: made once, kept beside them.

    Raises:
        LedgerError: the file cannot be read or made.
    """
    path = place.segments / "gateway.id"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _keep(path, secrets.token_hex(16))
        told = path.read_text().strip()
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}") from None
    if not _ID.fullmatch(told):
        raise LedgerError(f"{path} holds no id of a gateway; take it away, and one is made")
    return told


def earlier_workers(place: LedgerPlace) -> tuple[int, ...]:
    """Numbers of all workers that ever wrote there."""
    return tuple(
        int(folder.name.removeprefix("worker-")) for folder in worker_folders(place.segments)
    )


def _keep(path: Path, text: str) -> None:
    made = path.with_name(f"{path.name}.{os.getpid()}")
    made.write_text(text + "\n")
    try:
        os.link(made, path)
    except FileExistsError:
        pass  # another process was first; its id holds
    finally:
        made.unlink()
