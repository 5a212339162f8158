"""Where replicas may stand: the pools of the file's sites, and accelerators of others for rent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from neocloud.catalog import Accelerator, Catalog, Figure, Grade
from neocloud.perf import NoParametersError, Predictor, require_measured
from neocloud.planner import rates
from neocloud.planner.records import Rented, Skipped
from neocloud.planner.rented import rented_pools
from neocloud.planner.supply import accelerators_of, spares_of
from neocloud.spec import Cloud, Pool, Site

EMULATED = "emulated"
NO_LIMIT = 100_000
"""Accelerators that may be rented of one kind in one place: more than are let. What the file allows
holds over all of them together, and is a group's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Accelerators of one kind in one place.

    Attributes:
        site: site key, or a name of its own for a place where others rent out.
        pool: pool key, or the accelerator's.
        metro: where it stands.
        accelerator: what its nodes hold, with the fabric that the file gives them.
        span: accelerators that share a fabric or node: tensor parallelism stays within.
        kind: what serves there: `vllm`, `sglang`, `emulated`.
        accelerators: how many a plan may use.
        spares: how many more stand ready for those that fail.
        capital: of an accelerator-hour, or its rent.
        operations: of an accelerator-hour.
        network_per_gb: traffic to and from users.
        pue: power usage effectiveness; 1 where energy is within the rent.
        provider: who rents it out; empty for one's own.
    """

    site: str
    pool: str
    metro: str
    accelerator: Accelerator
    span: int
    kind: str
    accelerators: int
    spares: int = 0
    capital: float
    operations: float
    network_per_gb: float
    pue: float
    provider: str = ""

    @property
    def engine(self) -> str:
        """Engine whose performance is planned with: an emulated one behaves as vLLM."""
        return "vllm" if self.kind == EMULATED else self.kind

    @property
    def hour(self) -> float:
        """Cost of an accelerator-hour, energy apart."""
        return self.capital + self.operations

    @property
    def node_kw_per_accelerator(self) -> float:
        """An accelerator's share of its node's published maximum, kW; PUE not included."""
        node = self.accelerator.node_power_w.known(f"the node power of {self.accelerator.key}")
        return node / self.accelerator.node_accelerators / 1e3

    @property
    def likeness(self) -> tuple[str, str, int, float | None]:
        """Hosts with the same serve a model alike: a search for one holds for all."""
        out = self.accelerator.scale_out_bytes_per_s.value
        return (self.accelerator.key, self.kind, self.span, out)

    def hands_over(self, other: Host) -> bool:
        """True if prefill workers here may feed decode workers there.

        The libraries that move caches between engines are each for one maker's accelerators; the
        emulated engine has none; and nobody promises that two kinds that are rented stand together.
        """
        makers = self.accelerator.maker == other.accelerator.maker
        near = self.site == other.site and (not self.provider or self.pool == other.pool)
        return near and self.kind == other.kind != EMULATED and makers


def hosts_of(
    cloud: Cloud, catalog: Catalog, predictor: Predictor
) -> tuple[tuple[Host, ...], tuple[Skipped, ...]]:
    """The hosts of the file's own pools; and the pools that nothing measured stands behind."""
    hosts: list[Host] = []
    skipped: list[Skipped] = []
    for site in cloud.sites.values():
        for pool in site.pools:
            try:
                require_measured(catalog.accelerator(pool.accelerator), predictor)
            except NoParametersError as error:
                skipped.append(Skipped(site=site.key, pool=pool.key, reason=str(error)))
                continue
            hosts.append(_host(cloud, site, pool, catalog))
    return tuple(hosts), tuple(skipped)


def _host(cloud: Cloud, site: Site, pool: Pool, catalog: Catalog) -> Host:
    accelerator = _with_fabric(catalog.accelerator(pool.accelerator), pool)
    return Host(
        site=site.key,
        pool=pool.key,
        metro=site.metro,
        accelerator=accelerator,
        span=pool.fabric_domain or max(accelerator.scale_up_domain, accelerator.node_accelerators),
        kind=pool.engine,
        accelerators=accelerators_of(cloud, pool, catalog),
        spares=spares_of(cloud, pool, catalog),
        capital=rates.capital_per_accelerator_hour(cloud, pool, catalog),
        operations=rates.operations_per_accelerator_hour(cloud, site, pool, catalog),
        network_per_gb=rates.network_per_gb(cloud, site),
        pue=site.pue,
    )


def rented_hosts(
    cloud: Cloud, catalog: Catalog, predictor: Predictor
) -> tuple[tuple[Host, ...], tuple[Rented, ...]]:
    """Hosts of what the file allows to rent, energy within the price; and their places."""
    rental = cloud.rental
    if rental is None:
        return (), ()
    hosts: list[Host] = []
    places: list[Rented] = []
    per_gb = float(rental.network_usd_per_gb) * rates.exchange_rate(cloud, "USD")
    for pool in rented_pools(cloud, catalog):
        accelerator = catalog.accelerator(pool.accelerator)
        try:
            require_measured(accelerator, predictor)
        except NoParametersError:
            continue
        hosts.append(
            Host(
                site=pool.site,
                pool=pool.accelerator,
                metro=pool.metro,
                accelerator=accelerator,
                span=max(accelerator.scale_up_domain, accelerator.node_accelerators),
                kind="vllm",
                accelerators=NO_LIMIT,
                capital=pool.price_per_accelerator_hour,
                operations=0.0,
                network_per_gb=per_gb,
                pue=1.0,
                provider=pool.provider,
            )
        )
        places.append(
            Rented(
                site=pool.site,
                pool=pool.accelerator,
                metro=pool.metro,
                provider=pool.provider,
                tier=pool.tier,
                term_months=pool.term_months,
                price_per_accelerator_hour=pool.price_per_accelerator_hour,
                date=pool.date,
                source=pool.source,
            )
        )
    return tuple(hosts), tuple(places)


def _with_fabric(accelerator: Accelerator, pool: Pool) -> Accelerator:
    """The accelerator with the links that its pool has in place of the usual ones."""
    found = accelerator
    if pool.fabric_domain is not None:
        narrow = min(pool.fabric_domain, accelerator.scale_up_domain)
        found = replace(found, scale_up_domain=narrow)
    if pool.scale_out_gbit_per_s is not None:
        figure = Figure(
            value=pool.scale_out_gbit_per_s * 1e9 / 8.0,
            unit="B/s",
            source="the cloud file",
            date="",
            grade=Grade.PUBLISHED,
        )
        found = replace(found, scale_out_bytes_per_s=figure)
    return found


def host_at(hosts: Sequence[Host], site: str, pool: str) -> Host:
    """The host of a pool."""
    return next(h for h in hosts if (h.site, h.pool) == (site, pool))
