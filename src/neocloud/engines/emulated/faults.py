"""What can go wrong with a replica on purpose: the faults that real engines show on the wire.

Whoever runs the emulated engines switches them on, with `--fault` or the control route of
`--control`. Nothing in a request to the API can.
"""

from __future__ import annotations

import msgspec

from neocloud.engines.emulated.requests import BadRequestError


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults of one replica. Events are counted over all choices of an answer, content only.

    Attributes:
        error_after: after so many events of a stream comes an error event, then [DONE], with
            status 200 and a body that ends well. vLLM does so when it is told to end.
        truncate_after: after so many, the connection closes, the body unfinished.
        stall_after: after so many, nothing more is said, though the work goes on.
        close_after_stream: each streamed answer closes its connection, whatever HTTP's default
            promises. llama.cpp does so.
        refuse: requests get 500 while `/health` says 200. vLLM does so while it drains.
        loading_s: for so many seconds from now on, everything gets 503, as from a server in front
            of an engine whose weights are still on their way.
    """

    error_after: int | None = None
    truncate_after: int | None = None
    stall_after: int | None = None
    close_after_stream: bool = False
    refuse: bool = False
    loading_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("error_after", "truncate_after", "stall_after", "loading_s"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise ValueError(f"{name} must be a number from 0 on, not {value}")


NONE = Faults()


def read_faults(text: bytes | str) -> Faults:
    """Faults as JSON, such as `{"truncate_after": 3}`.

    Raises:
        BadRequestError: they are not.
    """
    try:
        return msgspec.json.decode(text, type=Faults)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequestError(f"faults: {error}") from None
