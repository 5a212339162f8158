"""What a running gateway asks of `neocloud up`: the files as they are now, the token, totals."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from neocloud.cli.failure import Failure
from neocloud.cli.serving import Serving
from neocloud.gateway import Management, Settings, SettingsError, UsageQuery
from neocloud.ledger import LedgerPlace, Reader, UsageEvent

TOKEN = "NEOCLOUD_ADMIN_TOKEN"  # noqa: S105  (the name of the variable that holds it)
TOKEN_FILE = "NEOCLOUD_ADMIN_TOKEN_FILE"  # noqa: S105


def management(serving: Serving, place: LedgerPlace) -> Management:
    """For a gateway of what is served, with its ledger."""

    def reread() -> tuple[Settings, tuple[str, ...]]:
        try:
            found = serving.read()
        except Failure as failure:
            raise SettingsError(str(failure)) from None
        return found.settings, found.notes

    return Management(reread=reread, token=admin_token, usage=lambda query: totals(place, query))


def admin_token() -> str:
    """The admin API's token: the environment's, or what stands now in the file that it names.

    Raises:
        SettingsError: that file cannot be read.
    """
    path = os.environ.get(TOKEN_FILE)
    if not path:
        return os.environ.get(TOKEN, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{TOKEN_FILE}: {path} cannot be read: {error}") from None


def totals(place: LedgerPlace, query: UsageQuery) -> bytes:
    """What the ledger holds, summed, as `neocloud usage --json` has it.

    Raises:
        SettingsError: it cannot be told apart by what is asked for.
        LedgerError: the ledger cannot be read.
    """
    from neocloud.books.usage import (  # loads numpy: if asked
        BY_DEFAULT,
        DIMENSIONS,
        summarise_usage,
    )

    unknown = [name for name in query.by if name not in DIMENSIONS]
    if unknown:
        raise SettingsError(f"by: no {unknown[0]!r}. All: {', '.join(DIMENSIONS)}")
    reader = Reader(place)
    span = query.period or reader.span()

    def wanted() -> Iterator[UsageEvent]:
        for event in reader.usage(query.period):
            if query.tenant is None or event.tenant == query.tenant:
                yield event

    waiting = [
        admission
        for admission in reader.open_requests()
        if (query.period is None or admission.admitted_ns in query.period)
        and (query.tenant is None or admission.tenant == query.tenant)
    ]
    by = query.by or BY_DEFAULT
    summary = summarise_usage("" if span is None else str(span), wanted(), waiting, by)
    return msgspec.json.encode(summary)
