"""The front door: which page or API is called, and one flight for each request let in."""

from __future__ import annotations

import asyncio
import math
import random
import secrets
import time
from collections.abc import Callable, Coroutine

import msgspec

from neocloud.gateway.apis import APIS, Api
from neocloud.gateway.apis.media import media_of
from neocloud.gateway.apis.refusals import (
    JSON,
    ApiError,
    error_body,
    is_anthropic,
    whole_seconds,
    with_request_id,
    wrong_method,
)
from neocloud.gateway.fleet.replicas import Fleet, Serving
from neocloud.gateway.fleet.shares import HourShares
from neocloud.gateway.observability.metrics import Process
from neocloud.gateway.observability.traffic import Traffic
from neocloud.gateway.pages.routes import Pages
from neocloud.gateway.requests.entry import Entry
from neocloud.gateway.requests.flight import Flight
from neocloud.gateway.requests.ids import RequestIds
from neocloud.gateway.requests.observer import Observer
from neocloud.gateway.requests.repeats import IDEMPOTENCY_HEADER, Repeats
from neocloud.gateway.requests.ticket import Ticket
from neocloud.gateway.requests.waiting import Waiting
from neocloud.gateway.tenants.callers import EXPLAIN_HEADER, Callers
from neocloud.gateway.tenants.limits import limit_lines, output_bound, refused
from neocloud.gateway.tenants.rules import Rules, rule_of
from neocloud.ledger import BYTES_PER_TOKEN, Admission, AttemptEvent, Ledger, Status, UsageEvent
from neocloud.quotas import Hold, NeedsLease, Quotas, Refusal
from neocloud.routing import (
    Choice,
    NoReplica,
    RetryBudget,
    RouteRequest,
    choose,
    explain,
    prefix_hashes,
)
from neocloud.wire import NO_LINES, Exchange, Lines, header_lines

_MAX_EXPLAIN = 16_384
_COMPLETED = Status.COMPLETED
_ABORTED = Status.ABORTED


class Gateway:
    """Answers requests; knows nothing of sockets and processes.

    Attributes:
        rules: what the cloud file says.
        fleet: the replicas.
        ledger: where usage goes.
        quotas: what tenants may still use.
        callers: who may call.
        shares: where the plan sends requests at this hour.
        traffic: what went through, for the page of metrics.
        process: what that page tells of the process.
        observer: told of each request; None where nobody watches.
        repeats: heeds `Idempotency-Key`; None ignores it.
        draining: True once it shuts down.
    """

    def __init__(
        self,
        rules: Rules,
        fleet: Fleet,
        ledger: Ledger,
        quotas: Quotas,
        callers: Callers,
        ids: RequestIds | None = None,
    ) -> None:
        self.rules = rules
        self.fleet = fleet
        self.ledger = ledger
        self.quotas = quotas
        self.callers = callers
        self.draining = False
        self.shares: HourShares = {}
        self.waiting = Waiting(self)
        self.retries = RetryBudget(time.monotonic())
        self.traffic = Traffic()
        self.process = Process()
        self.observer: Observer | None = None
        self.repeats: Repeats | None = None
        self._ids = ids or RequestIds(0, 0)
        # To spread requests without a prefix: no secret, and the system's entropy is slow.
        self._chance = random.Random(secrets.randbits(256))  # noqa: S311
        self._pending: set[asyncio.Task[None]] = set()
        self._apis = {api.path: api for api in APIS}
        self.pages = Pages(self)

    def handle(self, exchange: Exchange) -> None:
        """Take one request."""
        api = self._apis.get(exchange.path)
        try:
            if api is None:
                self.pages.answer(exchange)
            else:
                self._serve(exchange, api)
        except ApiError as error:
            self.refuse(exchange, error, anthropic=is_anthropic(exchange.path))

    def refuse(self, exchange: Exchange, error: ApiError, *, anthropic: bool) -> None:
        """Answer a request that was not admitted."""
        self.traffic.refuse(error.status, error.code)
        if self.repeats is not None:
            self.repeats.dropped(exchange)
        request_id = self._ids.new(time.time_ns())
        if self.observer is not None:
            api = self._apis.get(exchange.path)
            name = api.name if api is not None else ""
            self.observer.refused(exchange, name, error, request_id)
        lines = Lines(self.refusal_lines(error.status, error.retry_after_s))
        if error.lines:
            lines = Lines(lines + error.lines)
        body = error_body(
            error.status, str(error), error.code, anthropic=anthropic, request_id=request_id
        )
        lines = with_request_id(lines, request_id.encode(), anthropic=anthropic)
        exchange.respond(error.status, lines, body)

    def refusal_lines(self, status: int, retry_after_s: float | None = None) -> Lines:
        """Header fields of an error."""
        if retry_after_s is None and status in (429, 503):
            retry_after_s = 1.0
        if retry_after_s is None or not math.isfinite(retry_after_s):
            return JSON
        return Lines(b"%bretry-after: %d\r\n" % (JSON, whole_seconds(retry_after_s)))

    # for flights

    def settle(self, event: UsageEvent, ticket: Ticket, then: Callable[[], None]) -> None:
        """Count a usage event, settle what was held for it, and write it."""
        if ticket.hold is not None:
            used = event.status is _COMPLETED or event.status is _ABORTED
            tokens = event.input_tokens + event.output_tokens
            money = ticket.rule.price.of(event) if used else 0
            self.quotas.settle(ticket.hold, money, tokens if used else 0)
        self.traffic.ended(event, ticket.waited_ns)
        if self.repeats is not None:
            self.repeats.ended(event)
        if self.observer is not None:
            then = self.observer.ended(event, ticket, then)
        self.ledger.settle(event, then)

    def give_back(self, hold: Hold | None) -> None:
        """What was held for a request that was not admitted after all."""
        if hold is not None:
            self.quotas.settle(hold, 0, 0)

    def drop(self, exchange: Exchange, hold: Hold | None) -> None:
        """A client has gone whose request was not admitted."""
        self.give_back(hold)
        if self.repeats is not None:
            self.repeats.dropped(exchange)

    def attempt_failed(self, attempt: AttemptEvent) -> None:
        """A replica did not answer well."""
        self.traffic.attempt_failed(attempt)
        self.ledger.record_attempt(attempt)

    def left(self, serving: Serving) -> None:
        """A replica is done with a request: one that waits may have its place."""
        if self.waiting:
            self.waiting.wake(serving)

    def choose_again(
        self, serving: Serving, ticket: Ticket, tried: frozenset[str]
    ) -> Choice | None:
        """Another replica for a request whose first did not answer; None if there is none."""
        now_s = time.monotonic()
        route = msgspec.structs.replace(ticket.route, excluded=tried)
        choice = choose(serving.group, route, now_s)
        if isinstance(choice, NoReplica) or self.retries.take(now_s):
            return None if isinstance(choice, NoReplica) else choice
        self.traffic.out_of_retries += 1
        return None

    @property
    def why_not_ready(self) -> str | None:
        """Why no request can be taken at present; None if all is well."""
        if self.draining:
            return "shutting down"
        if self.ledger.failure is not None:
            return "usage cannot be recorded at present, so nothing is served"
        if not any(state.healthy for state in self.fleet.states):
            return "no replica is healthy"
        if self.quotas.failure is not None and self.rules.budgets:
            return f"budgets cannot be checked at present: {self.quotas.failure}"
        return None

    def change(self, rules: Rules, fleet: Fleet) -> None:
        """Let other rules and replicas hold from now on.

        What was admitted goes on under the rules of its admission, at the replica that it is at;
        what waits is judged and placed anew, and keeps what was held for it.
        """
        self.rules = rules
        self.fleet = fleet
        self.callers.change(rules)
        self.quotas.change(rules.limits)
        self.waiting.move()

    def route_again(self, entry: Entry) -> None:
        """Send on what waited before the rules or the replicas changed, or let it wait again.

        Raises:
            ApiError: it may not be asked any more.
        """
        self._route(entry)

    # requests to models

    def _serve(self, exchange: Exchange, api: Api) -> None:
        if exchange.method != "POST":
            raise wrong_method(b"POST")
        caller = self.callers.find(exchange)
        if self.draining or self.ledger.failure is not None:
            raise ApiError(503, self.why_not_ready or "not ready", "not_ready")
        asked = api.read(exchange.body)
        tenant = caller.tenant
        rule = rule_of(self.rules, asked.model, tenant)
        media = media_of(asked.prompt, self.rules.media_hosts)
        entry = Entry(exchange, api, asked, caller, rule, media)
        if self.repeats is not None and IDEMPOTENCY_HEADER in exchange.headers:
            self._later(self._once(entry, self.repeats))
        else:
            self._admit(entry)

    async def _once(self, entry: Entry, repeats: Repeats) -> None:
        """Go on with a request if it is no repetition."""
        exchange = entry.exchange
        try:
            if await repeats.first(exchange, entry.caller.key.key_id, time.time_ns()):
                self._admit(entry)
        except ApiError as error:
            self.refuse(exchange, error, anthropic=entry.api.anthropic)

    def _admit(self, entry: Entry) -> None:
        """Hold what it may cost, and send it on."""
        caller, rule = entry.caller, entry.rule
        if caller.tenant.limit is None:
            self._route(entry)
            return
        inputs, outputs = entry.bounds()
        money, tokens = rule.price.most(inputs, outputs), inputs + outputs
        held = self.quotas.admit(caller.key.tenant, money, tokens, time.monotonic())
        if isinstance(held, NeedsLease):
            self._later(self._acquire(entry, money, tokens))
        else:
            self._with_hold(entry, held)

    async def _acquire(self, entry: Entry, money: int, tokens: int) -> None:
        """Ask other workers, or the store, for what this one lacks."""
        try:
            held = await self.quotas.acquire(entry.caller.key.tenant, money, tokens)
            if entry.exchange.closed:
                self.drop(entry.exchange, held if isinstance(held, Hold) else None)
                return
            self._with_hold(entry, held)
        except ApiError as error:
            self.refuse(entry.exchange, error, anthropic=entry.api.anthropic)

    def _with_hold(self, entry: Entry, held: Hold | Refusal) -> None:
        if isinstance(held, Refusal):
            self.traffic.over_limit[entry.caller.key.tenant, str(held.kind)] += 1
            left = self.quotas.rates(entry.caller.key.tenant, time.monotonic())
            raise refused(held, limit_lines(left))
        entry.hold = held
        try:
            self._route(entry)
        except BaseException:
            self.give_back(held)
            raise

    def _route(self, entry: Entry) -> None:
        """Send it on, let it wait for a place, or refuse it."""
        if entry.caller.rules is not self.rules:
            self._renew(entry)
        asked, caller, tenant = entry.asked, entry.caller, entry.caller.tenant
        serving = self.fleet.serving(asked.model, entry.api.name)
        if serving is None:
            raise ApiError(
                404,
                f"no engine of {asked.model[:200]!r} can be asked by {entry.api.path}",
                "api_not_served",
            )
        prompt = asked.prompt
        entry.route = RouteRequest(
            rtt_s_by_site=caller.round_trips,
            allowed_sites=tenant.allowed_sites,
            carbon_limit_g_per_kwh=tenant.carbon_limit_g_per_kwh,
            ttft_budget_s=entry.rule.ttft_budget_s,
            plan=self.shares.get((caller.metro, asked.model)) if self.shares else None,
            priority=tenant.priority,
            prefix=prefix_hashes(prompt, caller.salt_bytes) if serving.several else (),
            draw=self._chance.getrandbits(32),
            prompt_tokens=len(prompt) // BYTES_PER_TOKEN,
        )
        if self.waiting and self.waiting.any(serving):  # nobody passes those who wait
            self.waiting.put(serving, entry)
            self.waiting.wake(serving)
            return
        choice = choose(serving.group, entry.route, time.monotonic())
        if isinstance(choice, Choice):
            self.launch(serving, entry, choice)
        elif choice.full:
            self.waiting.put(serving, entry)
        else:  # refused, not admitted: nothing was used
            raise ApiError(503, choice.reason, "no_replica")

    def _renew(self, entry: Entry) -> None:
        """Judge by the rules of now what came under others."""
        entry.caller = self.callers.find(entry.exchange)
        entry.rule = rule_of(self.rules, entry.asked.model, entry.caller.tenant)

    def launch(self, serving: Serving, entry: Entry, choice: Choice) -> None:
        """Admit a request and send it to the replica that was chosen.

        Raises:
            ApiError: it cannot be put to that engine; it was not admitted.
        """
        asked, caller, rule, route = entry.asked, entry.caller, entry.rule, entry.route
        assert route is not None, "a request is routed before it is sent"
        backend = serving.backends[choice.index]
        state, endpoint = backend.state, backend.endpoint
        now_ns = time.time_ns()
        waited_ns = now_ns - entry.waits_since_ns if entry.waits_since_ns else 0
        limited = asked.limit is not None or rule.max_output_tokens is not None
        admission = Admission(
            request_id=self._ids.new(now_ns),
            admitted_ns=now_ns,
            tenant=caller.key.tenant,
            key_id=caller.key.key_id,
            model=asked.model,
            user_metro=caller.metro,
            prompt_bytes=len(asked.prompt) - entry.media.bytes,
            max_output_tokens=output_bound(asked, rule, entry.api.name) if limited else 0,
            price_version=self.rules.price_version,
            api=entry.api.name,
            site=state.site,
            pool=state.pool,
            replica=state.replica,
            accelerator=backend.accelerator,
            engine=endpoint.kind,
            streamed=asked.stream,
            emulated=endpoint.emulated,
            service_tier=self.rules.recorded_tier(asked.service_tier),
        )
        ticket = Ticket(
            admission=admission,
            rule=rule,
            salt=caller.salt,
            route=route,
            hold=entry.hold,
            waited_ns=waited_ns,
            trace=None
            if self.observer is None
            else self.observer.begun(entry.exchange, now_ns, waited_ns),
            lines=self._lines(serving, entry)
            if entry.hold is not None or caller.explain
            else NO_LINES,
        )
        self.retries.request()
        Flight(self, entry, ticket, serving).begin(backend)
        if self.repeats is not None:
            self.repeats.admitted(entry.exchange, ticket.request_id)
        if waited_ns:
            self.traffic.waited(asked.model, waited_ns)

    def _lines(self, serving: Serving, entry: Entry) -> Lines:
        """Header fields of an answer that not all answers have."""
        lines = NO_LINES
        now_s = time.monotonic()
        if entry.hold is not None:
            lines = limit_lines(self.quotas.rates(entry.caller.key.tenant, now_s))
        if entry.caller.explain and entry.route is not None:
            told = msgspec.json.encode(explain(serving.group, entry.route, now_s))
            lines = Lines(lines + header_lines(((EXPLAIN_HEADER, told[:_MAX_EXPLAIN]),)))
        return lines

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
