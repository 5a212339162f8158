"""From the ledger to what the report compares: events, hourly activity, who kept the objective."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from neocloud.activity import Row
from neocloud.catalog import Catalog
from neocloud.ledger import Reader, Status, UsageEvent, metered_activity, shared_energy
from neocloud.spec import Cloud
from neocloud.units import Period


class Metered(msgspec.Struct, frozen=True, kw_only=True):
    """Hourly activity of a period and the events behind it."""

    period: Period
    rows: tuple[Row, ...]
    events: tuple[UsageEvent, ...]
    energy_modelled: bool


def round_trip_of(cloud: Cloud, catalog: Catalog) -> Callable[[UsageEvent], float | None]:
    """The round trip between a request's user and its site, ms; None where either is not known.

    The last mile is the file's, as in the plan.

    Each pair of metros is looked up once: a ledger has many events and few pairs.
    """
    known: dict[tuple[str, str], float] = {}

    def milliseconds(event: UsageEvent) -> float | None:
        site = cloud.sites.get(event.site)
        if site is None or event.user_metro not in catalog.metros:
            return None
        pair = (event.user_metro, site.metro)
        if pair not in known:
            known[pair] = catalog.round_trip(*pair).ms + cloud.network.last_mile_ms
        return known[pair]

    return milliseconds


def objective_rule(cloud: Cloud, catalog: Catalog) -> Callable[[UsageEvent], bool]:
    """The rule that tells whether a request was answered as fast as its model promises.

    Only a completed answer can be. The gateway's times lack the way to the user, so the round trip
    by the catalog is added to the first token. A streamed answer must keep both times; of an
    unstreamed one only the end is seen, which must come when the last token of a stream that just
    keeps both would have come. A user or site that is not known adds no round trip; a model that is
    not in the file has no objective to keep.
    """
    round_trip_ms = round_trip_of(cloud, catalog)

    def within(event: UsageEvent) -> bool:
        model = cloud.models.get(event.model)
        if model is None or event.status is not Status.COMPLETED:
            return False
        objective, after_first = model.objective, max(0, event.output_tokens - 1)
        network_ms = round_trip_ms(event) or 0.0
        if not event.streamed:
            took_ms = (event.finished_ns - event.admitted_ns) / 1e6 + network_ms
            return took_ms <= objective.ttft_ms + after_first * objective.tpot_ms
        first_ms = (event.first_token_ns - event.admitted_ns) / 1e6 + network_ms
        rest_ms = (event.finished_ns - event.first_token_ns) / 1e6
        if not event.first_token_ns or first_ms > objective.ttft_ms:
            return False
        return after_first == 0 or rest_ms <= after_first * objective.tpot_ms

    return within


def gather(reader: Reader, cloud: Cloud, catalog: Catalog, period: Period) -> Metered:
    """Read a period of the ledger.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    events = tuple(reader.usage(period))
    energy = tuple(reader.energy(period))
    rows = metered_activity(
        events, reader.allocation(period), energy, period, objective_rule(cloud, catalog)
    )
    return Metered(
        period=period,
        rows=rows,
        events=events,
        energy_modelled=any(share.modelled for share in shared_energy(energy, period)),
    )
