"""Addresses: the one for clients, and the one for the operator."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from neocloud.gateway.operation.admin import Admin
from neocloud.gateway.operation.admin_keys import AdminKeys
from neocloud.gateway.operation.operations import Operations
from neocloud.gateway.operation.reload import reload_and_tell
from neocloud.gateway.operation.signals import Signals
from neocloud.gateway.operation.tls import tls_context
from neocloud.gateway.settings import Doors, Listen, Management, Settings, SettingsError
from neocloud.ledger import keys_of
from neocloud.wire import bound_socket


def bound(listen: Listen, *, shared: bool = False) -> socket.socket:
    """A socket with that address.

    Raises:
        SettingsError: it cannot be listened on.
    """
    try:
        return bound_socket(listen.host, listen.port, shared=shared)
    except OSError as error:
        raise SettingsError(f"cannot listen on {listen}: {error.strerror}") from None


def check_doors(doors: Doors) -> None:
    """See that nobody else listens there and that the certificate holds; nothing stays open.

    Raises:
        SettingsError: an address cannot be listened on, or the certificate cannot be used.
    """
    if doors.tls is not None:
        tls_context(doors.tls)
    with contextlib.ExitStack() as stack:
        for listen in (doors.listen, doors.admin):
            if listen is not None:
                stack.enter_context(bound(listen))


def address_of(made: socket.socket) -> Listen:
    """Where a socket listens, with the port that it got."""
    host, port = made.getsockname()[:2]
    return Listen(host, port)


async def operated(
    operations: Operations,
    management: Management,
    current: Callable[[], Settings],
    signals: Signals,
    admin_socket: socket.socket | None,
) -> Admin | None:
    """Let the operator at it, by signals and, where there is an address for it, by the admin API.

    Raises:
        SettingsError: the API has no token, or its certificate cannot be used.
    """
    admin = None
    reload = operations.reload
    if admin_socket is not None:
        keys = AdminKeys(keys_of(current().ledger), lambda: current().rules.tenants)
        admin = Admin(operations, management, keys, current)
        await admin.listen(admin_socket)
        reload = admin.reload
    signals.started(lambda: reload_and_tell(reload))
    return admin
