"""All indicators together."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import msgspec

from neocloud.finance.indicators.cohorts import (
    Cohorts,
    cohorts_of,
    metered_record,
    planned_record,
)
from neocloud.finance.indicators.component_cost import ComponentCost, component_cost
from neocloud.finance.indicators.dependences import (
    backlog_dependence,
    cash_dependence,
    revenue_dependence,
)
from neocloud.finance.indicators.diversification import Dependence
from neocloud.finance.indicators.inference import InferenceUse, inference_use
from neocloud.finance.indicators.metered import Metered
from neocloud.finance.indicators.pipeline import Pipeline, pipeline
from neocloud.finance.indicators.records import Series, months_from
from neocloud.finance.indicators.sales import (
    Sale,
    directory_of,
    joined_sales,
    planned_sales,
)
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs

SCHEMA = "neocloud.indicators/1"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the file.

    Attributes:
        metered: the ledger by month; None without one.
        sales: what documents or rated use say was paid, of months that are over: they stand in
            place of what is planned for these months.
        booked: months of which `sales` says all; months without sales may be among them.
        cost_of_capital: yearly, for the cost of an accelerator-hour; None: the owners' discount
            rate.
    """

    metered: Metered | None = None
    sales: tuple[Sale, ...] = ()
    booked: frozenset[str] = frozenset()
    cost_of_capital: Fraction | None = None


class Indicators(msgspec.Struct, frozen=True, kw_only=True):
    """The five indicators.

    Attributes:
        schema: name and version of this form.
        cloud: its name.
        currency: of all money.
        component_cost: what new capacity costs.
        revenue: whom revenue depends on.
        backlog: whom the backlog depends on.
        cash: whom each facility's cash depends on, in the order of facilities.
        inference: how much of the accelerators' time serves models.
        cohorts: whether customers who train come back for inference.
        pipeline: what may be sold beside what can be delivered.
    """

    schema: str = SCHEMA
    cloud: str
    currency: str
    component_cost: ComponentCost
    revenue: Dependence
    backlog: Dependence
    cash: tuple[Dependence, ...]
    inference: InferenceUse
    cohorts: Cohorts
    pipeline: Pipeline

    def series(self) -> Iterator[Series]:
        """All series, in a fixed order."""
        cost = self.component_cost
        yield from (cost.per_megawatt, cost.per_accelerator, cost.per_hour, cost.index)
        yield from cost.by_kind
        for whole in (self.revenue, self.backlog, *self.cash):
            yield from (*whole.top, whole.hhi, whole.effective)
        yield from (self.inference.of_used, self.inference.of_sellable)
        yield from (*self.cohorts.still, self.cohorts.retention)
        line = self.pipeline
        yield from (line.multiple, line.multiple_weighted)
        yield from (line.multiple_of_free, line.multiple_of_free_weighted)
        yield from (line.signed, line.megawatts, line.converted, line.converted_weighted)
        yield from (line.open_value, line.open_value_weighted)


NO_EVIDENCE = Evidence()
"""The file alone."""


def summary(inputs: Inputs, outcome: Outcome, evidence: Evidence = NO_EVIDENCE) -> Indicators:
    """All indicators.

    What the ledger and the books can give comes from them, for the months that they know; the rest
    comes from contracts and the model.

    Args:
        inputs: the base case.
        outcome: of an exact run of it without shocks.
        evidence: what is known beside the file.
    """
    directory = directory_of(inputs)
    booked = evidence.booked | {sale.month for sale in evidence.sales}
    sales = joined_sales(evidence.sales, planned_sales(inputs, outcome), booked)
    labels = inputs.months.labels
    over = months_from(min([*booked, labels[0]]), labels[-1])
    metered = evidence.metered
    if metered is None or not (metered.tenants or metered.held):
        cohorts = cohorts_of(planned_record(inputs, outcome), sales)
    else:
        cohorts = cohorts_of(metered_record(metered), evidence.sales)
    return Indicators(
        cloud=inputs.name,
        currency=inputs.currency,
        component_cost=component_cost(inputs, evidence.cost_of_capital),
        revenue=revenue_dependence(sales, directory, over),
        backlog=backlog_dependence(inputs, outcome, directory),
        cash=tuple(
            cash_dependence(inputs, outcome, facility, directory) for facility in inputs.facilities
        ),
        inference=inference_use(inputs, outcome, metered),
        cohorts=cohorts,
        pipeline=pipeline(inputs, outcome),
    )
