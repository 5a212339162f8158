"""The log: lines for people or programs, one for each request, none that holds what nobody may see.

A line is written by a thread of its own from a bounded queue, so that whoever reads the log slowly
does not slow requests; what finds no room is lost and counted. Text from outside cannot begin a
line of its own: whatever is not printable is escaped. What repeats is told a few times, then
counted.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections import deque
from typing import Any, Literal, TextIO

import msgspec

from neocloud.ledger import UsageEvent

LogFormat = Literal["text", "json"]

_access = logging.getLogger("neocloud.access")
reloads = logging.getLogger("neocloud.reload")
"""What came of reloads: told whatever the level is, since the operator asked for each."""
_QUEUED = 8192
"""Lines that may wait to be written."""
_PERIOD_S = 0.1
_CLOSE_S = 2.0
_AT_ONCE = 4000
"""Bytes of one write at the most: a pipe takes up to 4096 whole, also from several processes."""
BURST = 10
WINDOW_S = 10.0
"""Of lines that say the same, so many in so long a time are written."""
_MOST_KINDS = 1024

_SECRET = re.compile(
    r"(?i)(\b(?:bearer|basic)\s+|\b(?:proxy-)?authorization\b\W{1,6}(?:bearer\s+|basic\s+)?"
    r"|\b(?:x-)?api-key\b\W{1,6})[^\s\"',;}]+|\b(?:nc|sk)-[\w-]{8,}"
)
"""Keys and what looks like one, should an error's text ever hold it."""


_NOTHING_S = 0.0
"""The very object is known as the default, and left out of the line."""


class Fields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the line of a request tells. Times are seconds; what is 0 or empty is left out."""

    request_id: str
    api: str = ""
    tenant: str = ""
    key_id: str = ""
    model: str = ""
    site: str = ""
    replica: str = ""
    status: str = ""
    http_status: int = 0
    reason: str = ""
    stream: bool = False
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    emulated: bool = False
    attempts: int = 0
    waited_s: float = _NOTHING_S
    first_token_s: float = _NOTHING_S
    duration_s: float = _NOTHING_S


class AccessLog:
    """One line for each request. Built from the usage event, which holds neither text nor key."""

    def ended(self, event: UsageEvent, waited_ns: int) -> None:
        """A request that was admitted has ended."""
        begun_ns = event.admitted_ns - waited_ns
        first_ns = event.first_token_ns - begun_ns if event.first_token_ns else 0
        fields = Fields(
            request_id=event.request_id,
            api=event.api,
            tenant=event.tenant,
            key_id=event.key_id,
            model=event.model,
            site=event.site,
            replica=event.replica,
            status=event.status.value,
            stream=event.streamed,
            input_tokens=event.input_tokens,
            cached_tokens=event.cached_tokens,
            output_tokens=event.output_tokens,
            reasoning_tokens=event.reasoning_tokens,
            estimated=event.estimated,
            emulated=event.emulated,
            attempts=event.attempts,
            waited_s=_seconds(waited_ns),
            first_token_s=_seconds(first_ns),
            duration_s=_seconds(event.finished_ns - begun_ns),
        )
        _access.info("request", extra={"fields": fields})

    def refused(self, request_id: str, api: str, status: int, reason: str) -> None:
        """A request was not admitted. What its client wrote is not told, be it only a model."""
        fields = Fields(request_id=request_id, api=api, http_status=status, reason=reason)
        _access.info("refused", extra={"fields": fields})


def access_log() -> AccessLog | None:
    """The log of requests; None where nobody wants it, as `configure` says."""
    return AccessLog() if _access.isEnabledFor(logging.INFO) else None


def configure(level: int, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Log from now on, in this process, to standard error.

    Args:
        level: the least that is told, such as `logging.INFO`, with which each request has its line.
        log_format: `text` for people, `json` for programs: an object a line.
        stream: where to write, if not to standard error.
    """
    handler = BackgroundHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    handler.addFilter(Repeats())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    reloads.setLevel(min(level, logging.INFO))  # the answer to whoever asked for one
    # What libraries tell of every connection helps nobody who watches a gateway.
    for noisy in ("urllib3", "requests", "asyncio"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))


def format_in_use() -> LogFormat:
    """How this process logs, for those that it starts."""
    handlers = logging.getLogger().handlers
    return "json" if any(isinstance(h.formatter, JsonFormatter) for h in handlers) else "text"


class BackgroundHandler(logging.Handler):
    """Hands records to a thread that writes them."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._queue: deque[logging.LogRecord] = deque()
        self._lost = 0
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closing = False

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record; the first starts the thread."""
        if record.exc_info and not record.exc_text:  # frames are not kept
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        if record.args:  # they may change before it is written
            record.msg, record.args = record.getMessage(), None
        if len(self._queue) >= _QUEUED:
            self._lost += 1
            return
        self._queue.append(record)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()
        if record.levelno >= logging.WARNING:
            self._wake.set()

    def flush(self) -> None:
        """Write what is there, unless somebody reads too slowly."""
        until_s = time.monotonic() + _CLOSE_S
        while self._queue and self._thread is not None and time.monotonic() < until_s:
            self._wake.set()
            time.sleep(0.002)

    def close(self) -> None:
        """Write what is there and end."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)
        super().close()

    def _run(self) -> None:
        while not self._closing or self._queue:
            if not self._closing:
                self._wake.wait(_PERIOD_S)
                self._wake.clear()
            self._write_all()

    def _write_all(self) -> None:
        lines: list[str] = []
        size = 0
        while self._queue:
            line = self._line(self._queue[0])
            if lines and size + len(line) > _AT_ONCE:
                self._write(lines)
                lines, size = [], 0
            lines.append(line)
            size += len(line)
            self._queue.popleft()
        if lines:
            self._write(lines)
        lost, self._lost = self._lost, 0
        if lost:
            record = logging.LogRecord(
                __name__, logging.WARNING, "", 0, f"{lost} lines of the log were lost", None, None
            )
            self._write([self._line(record)])

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record) + "\n"
        except Exception as error:  # noqa: BLE001 - a line that cannot be made must not end the log
            return f"a line of the log could not be made: {type(error).__name__}\n"

    def _write(self, lines: list[str]) -> None:
        try:
            self._stream.write("".join(lines))
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads any more
            self._lost = 0


class Repeats(logging.Filter):
    """Lets `BURST` lines of a kind pass in `WINDOW_S`; the next that passes tells how many did not.

    The lines of requests that were admitted always pass; those of refused ones are of a kind where
    status and reason are the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[object, list[float]] = {}  # start of the window, passed, held back
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        fields = getattr(record, "fields", None)
        if isinstance(fields, Fields):
            if not fields.http_status:
                return True
            kind: object = (fields.http_status, fields.reason)
        else:
            kind = (record.name, record.levelno, record.msg)
        with self._lock:
            found = self._seen.get(kind)
            if found is None:
                if len(self._seen) >= _MOST_KINDS:
                    self._seen.pop(next(iter(self._seen)))
                found = self._seen[kind] = [record.created, 0, 0]
            if record.created - found[0] >= WINDOW_S:
                found[0], found[1] = record.created, 0
            if found[1] >= BURST:
                found[2] += 1
                return False
            found[1] += 1
            held, found[2] = int(found[2]), 0
        if held:
            record.held_back = held
        return True


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, then what the record is about."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        told: dict[str, Any] = {
            "time": _when(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _discreet(record.getMessage()),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, Fields):
            told |= msgspec.to_builtins(fields)
        held = getattr(record, "held_back", 0)
        if held:
            told["held_back"] = held
        if record.exc_text:
            told["exception"] = _discreet(record.exc_text)
        text = msgspec.json.encode(told).decode()
        return text if text.isprintable() else "".join(map(_json_escape, text))


class TextFormatter(logging.Formatter):
    """`time level logger message name=value ...`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end; an exception's lines follow it, indented."""
        parts = [
            _when(record), record.levelname, record.name, plain(_discreet(record.getMessage())),
        ]  # fmt: skip
        fields = getattr(record, "fields", None)
        if isinstance(fields, Fields):
            parts += [
                f"{name}={_value(value)}" for name, value in msgspec.to_builtins(fields).items()
            ]
        held = getattr(record, "held_back", 0)
        if held:
            parts.append(f"held_back={held}")
        line = " ".join(parts)
        if record.exc_text:
            line += "".join(
                f"\n    {plain(each)}" for each in _discreet(record.exc_text).split("\n")
            )
        return line


def plain(text: str) -> str:
    """A text that stays on its line: what is not printable is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    text = plain(value)
    if text and not any(c in text for c in ' "=\\'):
        return text
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain(escaped)}"'


def _json_escape(character: str) -> str:
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _discreet(text: str) -> str:
    """A text without keys."""
    return _SECRET.sub(lambda found: f"{found.group(1) or ''}...", text)


def _seconds(time_ns: int) -> float:
    return round(time_ns / 1e9, 6) if time_ns else _NOTHING_S


def _when(record: logging.LogRecord) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{moment}.{int(record.msecs):03d}Z"
