"""What a supervisor and its workers say to each other, over the pipes that bind them.

Both ends are one program of one user, and the pipes are private: so values go over as pickle.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping

import msgspec

from neocloud.engines import Endpoint
from neocloud.gateway.observability.logs import LogFormat
from neocloud.gateway.operation.operations import ReplicaNow, TenantNow
from neocloud.gateway.settings import Settings
from neocloud.gateway.workers.post import Post
from neocloud.ledger import ShippingReport

LENGTH = struct.Struct(">I")
"""Before each message: how many bytes it has."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The first message to a worker: what it is to serve.

    Attributes:
        settings: what holds.
        endpoints: engines of the cloud's own.
        post: which worker it is.
        holdings: True for the one that writes what the replicas hold.
        drained: replicas that the operator keeps requests off.
        retired: workers that will not start again, and for which it answers.
        shipping: how the shipper stands.
        log_level: from which messages are logged.
        log_format: and how.
    """

    settings: Settings
    endpoints: tuple[Endpoint, ...]
    post: Post
    holdings: bool
    drained: frozenset[str]
    retired: tuple[int, ...]
    shipping: ShippingReport | None
    log_level: int
    log_format: LogFormat


class Change(msgspec.Struct, frozen=True):
    """Asks to let other settings and engines hold."""

    settings: Settings
    endpoints: tuple[Endpoint, ...]


class Drain(msgspec.Struct, frozen=True):
    """Asks to keep requests off a replica, or to let them come again."""

    replica: str
    drained: bool


class Look(msgspec.Struct, frozen=True):
    """Asks how all stands."""


class Measure(msgspec.Struct, frozen=True):
    """Asks for the page of metrics."""


class View(msgspec.Struct, frozen=True):
    """How all stands at one worker."""

    replicas: tuple[ReplicaNow, ...]
    tenants: tuple[TenantNow, ...]


class Ask(msgspec.Struct, frozen=True):
    """A question, and a number for its answer."""

    number: int
    question: Change | Drain | Look | Measure


class Told(msgspec.Struct, frozen=True):
    """The answer to the question of that number, or in `failure` why there is none."""

    number: int
    answer: View | bytes | bool | None = None
    failure: str = ""


class Shipping(msgspec.Struct, frozen=True):
    """To a worker: how the shipper stands."""

    report: ShippingReport


class Answered(msgspec.Struct, frozen=True):
    """From and to a worker: requests that replicas took elsewhere."""

    counts: Mapping[str, int]


class Stop(msgspec.Struct, frozen=True):
    """To a worker: end, within the grace or at once."""

    at_once: bool


class End(msgspec.Struct, frozen=True):
    """To a worker that was told to end: no worker has requests left, so close."""


class Serving(msgspec.Struct, frozen=True):
    """From a worker: it serves; requests that it found open, and keys that it knows."""

    recovered: int
    keys: int


class NotStarted(msgspec.Struct, frozen=True):
    """From a worker: why it cannot start."""

    reason: str


class Leaving(msgspec.Struct, frozen=True):
    """From a worker: it was told to end and has no requests left, or takes no new connections."""


Message = Order | Ask | Told | Shipping | Answered | Stop | End | Serving | NotStarted | Leaving


def packed(message: Message) -> bytes:
    """A message with its length, as it goes over."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data


def unpacked(data: bytes) -> Message:
    """A message without its length."""
    message: Message = pickle.loads(data)  # noqa: S301  (our own parent's, or child's)
    return message
