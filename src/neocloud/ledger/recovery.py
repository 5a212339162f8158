"""After a crash: every request that was open gets its one usage event, interrupted."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.frames import (
    HEAD_BYTES,
    MAX_PAYLOAD,
    admissions_and_events,
    data_end,
    frame_at,
    read_frames,
    read_head,
)
from neocloud.ledger.progress import Progress, told_progress
from neocloud.ledger.records import Admission, Status, UsageEvent
from neocloud.ledger.segments import segment_files

log = logging.getLogger(__name__)

BYTES_PER_TOKEN = 4
"""Of English prose under the tokenizers in use, roughly; only for estimates, marked as such."""

PROGRESS = "progress"
"""Name of the progress table in a worker's folder."""


def interrupted(admission: Admission, progress: Progress | None, now_ns: int) -> UsageEvent:
    """The event of a request that its gateway did not live to settle.

    Tokens are what was told of it last: exact where the engine counts as it goes, else what we saw
    pass, at most what the request was allowed. Where nothing was told, the prompt is estimated from
    its bytes.
    """
    counted = progress is not None and progress.counted
    told_input = progress.input_tokens if progress is not None else 0
    output = progress.output_tokens if progress is not None else 0
    if not counted and admission.max_output_tokens:
        output = min(output, admission.max_output_tokens)
    estimate = -(-admission.prompt_bytes // BYTES_PER_TOKEN)
    return UsageEvent(
        request_id=admission.request_id,
        tenant=admission.tenant,
        key_id=admission.key_id,
        model=admission.model,
        site=admission.site,
        pool=admission.pool,
        replica=admission.replica,
        accelerator=admission.accelerator,
        engine=admission.engine,
        user_metro=admission.user_metro,
        input_tokens=told_input if counted else told_input or estimate,
        cached_tokens=progress.cached_tokens if progress is not None else 0,
        output_tokens=output,
        admitted_ns=admission.admitted_ns,
        first_token_ns=0,
        finished_ns=max(now_ns, admission.admitted_ns),
        status=Status.INTERRUPTED,
        attempts=1 if admission.replica else 0,
        streamed=admission.streamed,
        estimated=not counted,
        emulated=admission.emulated,
        price_version=admission.price_version,
        api=admission.api,
        service_tier=admission.service_tier,
    )


def open_in(descriptor: int) -> tuple[dict[str, Admission], int]:
    """What is open by a worker's newest segment, by request; and where its frames end."""
    still_open: dict[str, Admission] = {}
    end = HEAD_BYTES
    for end, payload in read_frames(descriptor, HEAD_BYTES):  # noqa: B007 - the last is used
        admissions, events = admissions_and_events(payload)
        for admission in admissions:
            still_open[admission.request_id] = admission
        for event in events:
            if type(event) is UsageEvent:
                still_open.pop(event.request_id, None)
    return still_open, end


def left_open(folder: Path) -> dict[str, Admission]:
    """What an earlier process left open; cuts off what it did not live to write whole.

    Only to be called by who holds the worker's lock.

    Raises:
        LedgerError: a segment is damaged, or cannot be read or cut.
    """
    for unfinished in folder.glob("*.new"):
        unfinished.unlink(missing_ok=True)
    files = segment_files(folder)
    if not files:
        return {}
    newest = files[-1]
    try:
        descriptor = os.open(newest, os.O_RDWR | os.O_CLOEXEC)
        try:
            read_head(descriptor, newest)
            still_open, end = open_in(descriptor)
            _cut(descriptor, newest, end)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LedgerError(f"{newest}: {error.strerror}") from None
    return still_open


def interrupted_events(
    still_open: Mapping[str, Admission], progress: Path, now_ns: int
) -> list[UsageEvent]:
    """The events that close what an earlier process left open."""
    told = told_progress(progress, frozenset(still_open)) if still_open else {}
    return [
        interrupted(admission, told.get(request_id), now_ns)
        for request_id, admission in still_open.items()
    ]


def _cut(descriptor: int, path: Path, end: int) -> None:
    """Cut off what follows the last whole frame: a commit of which nobody was told.

    What is cut is kept beside, for whoever wants to look. More than one commit can hold, or a whole
    frame behind a broken one, is no torn write but damage, and not ours to cut.
    """
    torn = data_end(descriptor, end) - end
    if torn:
        following = frame_at(descriptor, end)
        whole_behind = following > 0 and any(True for _ in read_frames(descriptor, following))
        if torn > MAX_PAYLOAD or whole_behind:
            raise LedgerError(
                f"{path} is damaged from byte {end} on; move it to another folder to go on "
                "without what it holds behind that"
            )
        kept = path.with_suffix(".torn")
        kept.write_bytes(os.pread(descriptor, torn, end))
        log.warning("%s: cut %d bytes that were not written whole, kept in %s", path, torn, kept)
    os.ftruncate(descriptor, end)
    os.fdatasync(descriptor)
