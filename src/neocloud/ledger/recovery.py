"""After a crash: every request that was open gets its one usage event, interrupted."""

from __future__ import annotations

import sqlite3

from neocloud.ledger.records import Admission, Status, UsageEvent
from neocloud.ledger.schema import OPEN, USAGE

BYTES_PER_TOKEN = 4
"""Of English prose under the tokenizers in use, roughly; only for estimates, marked as such."""


def interrupted(admission: Admission, now_ns: int) -> UsageEvent:
    """The event of a request that its gateway did not live to settle.

    What was generated nobody knows; the prompt is estimated from its bytes. Such use is not billed.
    """
    return UsageEvent(
        request_id=admission.request_id,
        tenant=admission.tenant,
        key_id=admission.key_id,
        model=admission.model,
        site="",
        pool="",
        replica="",
        accelerator="",
        engine="",
        user_metro=admission.user_metro,
        input_tokens=-(-admission.prompt_bytes // BYTES_PER_TOKEN),
        cached_tokens=0,
        output_tokens=0,
        admitted_ns=admission.admitted_ns,
        first_token_ns=0,
        finished_ns=max(now_ns, admission.admitted_ns),
        status=Status.INTERRUPTED,
        attempts=0,
        streamed=False,
        estimated=True,
        emulated=False,
        price_version=admission.price_version,
    )


def close_open_requests(connection: sqlite3.Connection, now_ns: int) -> int:
    """Settle what is open, all in one transaction; how many there were."""
    rows = connection.execute(f"SELECT {OPEN.columns} FROM open_requests").fetchall()  # noqa: S608
    events = [interrupted(admission, now_ns) for admission in OPEN.records(rows)]
    if events:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(USAGE.insert, [USAGE.row(event) for event in events])
        connection.execute("DELETE FROM open_requests")
        connection.execute("COMMIT")
    return len(events)
