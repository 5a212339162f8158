"""Several processes that serve, and the one that starts, restarts, changes and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable

from neocloud.engines import Endpoint
from neocloud.gateway.observability.logs import format_in_use
from neocloud.gateway.operation.door import address_of, bound, operated
from neocloud.gateway.operation.engine_room import EngineRoom
from neocloud.gateway.operation.operations import Reloaded, ReplicaNow, TenantNow, together
from neocloud.gateway.operation.reload import Reloading
from neocloud.gateway.operation.signals import Signals
from neocloud.gateway.settings import Listen, Management, Settings, SettingsError, Up
from neocloud.gateway.workers.channel import (
    Answered,
    Change,
    Drain,
    End,
    Look,
    Measure,
    Order,
    Shipping,
    View,
)
from neocloud.gateway.workers.hand import Hand, WorkerError
from neocloud.gateway.workers.post import Post, earlier_workers, gateway_id
from neocloud.ledger import Shipper, ShippingReport, close_abandoned

log = logging.getLogger(__name__)

_AGAIN_S = (0.05, 0.5, 2.0, 5.0)
"""Before a worker is started again."""
_STEADY_S = 10.0
"""A worker that served for so long did not fail to start."""


class Supervisor:
    """The workers of a gateway. Implements `Operations`.

    Each seat has a socket on the common address, which stays open from one worker in it to the
    next: what came in between waits there. A worker that ends by itself is replaced under the same
    number, and so closes what the other left open; one that was told to end by a signal has a
    successor under another number at once, since it still has requests of its own.

    Args:
        settings: that hold at the start.
        room: the engines that the gateway has started.
        sockets: one for each worker.
    """

    def __init__(
        self, settings: Settings, room: EngineRoom, sockets: tuple[socket.socket, ...]
    ) -> None:
        self._settings = settings
        self._endpoints: tuple[Endpoint, ...] = room.endpoints(settings)
        self._sockets = sockets
        self._gateway = gateway_id(settings.ledger)
        self._started_ns = time.time_ns()
        self._seats: list[Hand | None] = [None] * len(sockets)
        self._leaving: dict[Hand, asyncio.Task[int]] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._drained: set[str] = set()
        self._shipping: ShippingReport | None = None
        self._stopping = False
        self.reloading: Reloading | None = None

    # bringing up and down

    async def start(self) -> tuple[int, int]:
        """Start the workers.

        Where there are budgets the first comes before the others: it answers for all that was
        spent before, of which nothing may be given out again meanwhile.

        Returns:
            Requests that were found open, and keys.

        Raises:
            WorkerError: one did not come up.
        """
        count = len(self._sockets)
        retired = tuple(n for n in earlier_workers(self._settings.ledger) if n >= count)
        recovered = 0
        for number in retired:
            recovered += await asyncio.to_thread(
                close_abandoned, self._settings.ledger, workers=range(number, number + 1),
                now_ns=time.time_ns(),
            )  # fmt: skip
        keys = 0
        every = range(count)
        for seats in (every[:1], every[1:]) if self._settings.rules.budgets else (every,):
            hands = [await self._begin(seat, seat, retired if seat == 0 else ()) for seat in seats]
            for serving in await asyncio.gather(*(hand.serves for hand in hands)):
                recovered, keys = recovered + serving.recovered, serving.keys
        self._keepers = [asyncio.create_task(self._keep(seat)) for seat in range(count)]
        return recovered, keys

    async def stop(self, at_once: asyncio.Event) -> None:
        """Let all workers end."""
        self._stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        hands = self._hands()
        stopping = [asyncio.create_task(hand.stop(at_once)) for hand in hands]
        # Each has left once its requests have ended, its grace is over, or it is gone.
        await asyncio.gather(*(hand.left.wait() for hand in hands))
        for hand in hands:
            hand.tell(End())
        await asyncio.gather(*stopping)

    def note_shipping(self, report: ShippingReport) -> None:
        """Pass on how the shipper stands."""
        self._shipping = report
        for hand in self._hands():
            hand.tell(Shipping(report))

    async def apply(self, settings: Settings, endpoints: tuple[Endpoint, ...]) -> None:
        """Let settings and engines hold in all workers, and in those that will be started.

        Raises:
            SettingsError: a worker cannot; all are told to go on as before.
        """
        before = self._settings, self._endpoints
        self._settings, self._endpoints = settings, endpoints
        failures = await self._change()
        if failures:
            self._settings, self._endpoints = before
            await self._change()
            raise SettingsError("\n".join(failures))

    # Operations

    async def replicas(self) -> tuple[ReplicaNow, ...]:
        """See `Operations`."""
        return together([view.replicas for view in await self._views()])

    async def drain(self, replica: str, *, drained: bool) -> bool:
        """See `Operations`."""
        hands = self._hands()
        asked = (hand.ask(Drain(replica, drained)) for hand in hands)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        found = any(answer is True for answer in answers)
        if found and drained:
            self._drained.add(replica)
        else:
            self._drained.discard(replica)
        return found

    async def tenants(self) -> tuple[TenantNow, ...]:
        """See `Operations`. Each worker knows of all; the first is asked."""
        views = await self._views()
        return views[0].tenants if views else ()

    async def metrics(self) -> dict[str, bytes]:
        """See `Operations`."""
        hands = self._hands()
        asked = (hand.ask(Measure()) for hand in hands)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return {
            str(hand.order.post.number): answer
            for hand, answer in zip(hands, answers, strict=True)
            if isinstance(answer, bytes)
        }

    async def reload(self) -> Reloaded:
        """See `Operations`."""
        assert self.reloading is not None, "nothing is reloaded before all is up"
        return await self.reloading.reload()

    # own

    def _hands(self) -> list[Hand]:
        """Those that live, seated or leaving."""
        return [
            hand for hand in (*self._seats, *self._leaving) if hand is not None and hand.running
        ]

    async def _views(self) -> list[View]:
        asked = (hand.ask(Look()) for hand in self._hands())
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [answer for answer in answers if isinstance(answer, View)]

    async def _change(self) -> list[str]:
        """Tell all workers what holds; why some cannot. One that ends meanwhile needs not."""
        question = Change(self._settings, self._endpoints)
        hands = [hand for hand in self._seats if hand is not None and hand.running]
        answers = await asyncio.gather(
            *(hand.ask(question) for hand in hands), return_exceptions=True
        )
        return [str(answer) for answer in answers if isinstance(answer, SettingsError)]

    async def _begin(self, seat: int, number: int, retired: tuple[int, ...] = ()) -> Hand:
        order = Order(
            settings=self._settings,
            endpoints=self._endpoints,
            post=Post(number=number, gateway=self._gateway, started_ns=self._started_ns),
            holdings=seat == 0,
            drained=frozenset(self._drained),
            retired=retired,
            shipping=self._shipping,
            log_level=logging.getLogger().getEffectiveLevel(),
            log_format=format_in_use(),
        )
        hand = await Hand.start(order, self._sockets[seat], self._pass_on)
        self._seats[seat] = hand
        return hand

    def _pass_on(self, answered: Answered) -> None:
        """Tell the worker that writes what replicas hold what the others have sent them."""
        first = self._seats[0]
        if first is not None:
            first.tell(answered)

    async def _keep(self, seat: int) -> None:
        """See to it that there is always a worker in a seat."""
        tries = 0
        while not self._stopping:
            hand = self._seats[seat]
            assert hand is not None, "a seat is kept once it is taken"
            began_s = time.monotonic()
            with contextlib.suppress(WorkerError):
                await asyncio.shield(hand.serves)
            await hand.left.wait()
            number = hand.order.post.number
            if hand.serves.done() and not hand.serves.exception() and await _still_runs(hand):
                log.warning("worker %d was told to end; another takes its place", number)
                self._leaving[hand] = asyncio.create_task(self._see_off(hand))
                number = self._free_number(seat)
            else:
                status = await hand.wait()
                log.error("worker %d ended with status %d; it is started again", number, status)
                await asyncio.sleep(_AGAIN_S[min(tries, len(_AGAIN_S) - 1)])
                tries = 0 if time.monotonic() - began_s > _STEADY_S else tries + 1
            await self._seat_again(seat, number)

    async def _seat_again(self, seat: int, number: int) -> None:
        while True:
            try:
                await self._begin(seat, number)
            except WorkerError as error:
                log.error("%s", error)  # noqa: TRY400  (its message says it all)
                await asyncio.sleep(_AGAIN_S[-1])
            else:
                return

    async def _see_off(self, hand: Hand) -> int:
        status = await hand.wait()
        self._leaving.pop(hand, None)
        return status

    def _free_number(self, seat: int) -> int:
        """A number of this seat that no living worker has."""
        taken = {hand.order.post.number for hand in self._hands()}
        number = seat
        while number in taken:
            number += len(self._sockets)
        return number


async def _still_runs(hand: Hand) -> bool:
    """Whether a worker that takes no new connections still lives; its end is told a little late."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await hand.wait()
    return hand.running


async def supervise(
    settings: Settings,
    management: Management,
    signals: Signals,
    admin_socket: socket.socket | None,
    on_up: Callable[[Up], None],
) -> None:
    """Serve with several processes until told to end."""
    async with contextlib.AsyncExitStack() as stack:
        sockets = _sockets(settings, stack)
        room = EngineRoom()
        await room.start(settings)
        stack.push_async_callback(room.stop)
        supervisor = Supervisor(settings, room, sockets)
        reloading = Reloading(settings, management, room, supervisor.apply)
        supervisor.reloading = reloading
        shipper = await Shipper.start(settings.ledger, supervisor.note_shipping)
        stack.push_async_callback(shipper.stop)
        stack.push_async_callback(supervisor.stop, signals.at_once)
        recovered, keys = await supervisor.start()
        admin = await operated(
            supervisor, management, lambda: reloading.settings, signals, admin_socket
        )
        if admin is not None:
            stack.push_async_callback(admin.close)
        replicas = await supervisor.replicas()
        on_up(
            Up(
                listen=address_of(sockets[0]),
                admin=None if admin_socket is None else address_of(admin_socket),
                tls=settings.tls is not None,
                workers=len(sockets),
                replicas=len(replicas),
                emulated=sum(replica.emulated for replica in replicas),
                recovered=recovered,
                keys=keys,
            )
        )
        await signals.stop.wait()


def _sockets(
    settings: Settings, stack: contextlib.ExitStack | contextlib.AsyncExitStack
) -> tuple[socket.socket, ...]:
    """One for each worker, all on one address: the system deals connections out among them."""
    if settings.listen.port:
        bound(settings.listen).close()  # a shared one would be shared with another gateway too
    first = stack.enter_context(bound(settings.listen, shared=True))
    place = address_of(first)
    more = (
        stack.enter_context(bound(Listen(settings.listen.host, place.port), shared=True))
        for _ in range(settings.workers - 1)
    )
    return (first, *more)
