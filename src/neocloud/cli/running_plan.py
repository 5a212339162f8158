"""The plan that a running gateway goes by, also once its file was changed without a new plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from neocloud.cli.failure import Failure
from neocloud.spec import Cloud, Gateway, Tenant
from neocloud.spec.finance import Billing

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Plan

_NOTE = (
    "the plan is of an earlier version of the file and goes on; before the next start: "
    "neocloud plan {}"
)


class RunningPlan:
    """Keeps the plan with the cloud that it was made for."""

    def __init__(self) -> None:
        self._cloud: Cloud | None = None
        self._plan: Plan | None = None

    def read(self, cloud: Cloud, read: Callable[[], Plan]) -> tuple[Plan, tuple[str, ...]]:
        """The plan of a cloud, and notes on it.

        Where the file changed in what planning does not look at (prices, limits, keys' tenants,
        the gateway), and there is no new plan, the one that runs goes on.

        Raises:
            Failure: there is no plan of this cloud.
        """
        notes: tuple[str, ...] = ()
        try:
            plan = read()
        except Failure:
            if self._cloud is None or self._plan is None:
                raise
            if planned_part(self._cloud) != planned_part(cloud):
                raise
            plan, notes = self._plan, (_NOTE.format(cloud.file),)
        self._cloud, self._plan = cloud, plan
        return plan, notes


def planned_part(cloud: Cloud) -> Cloud:
    """A cloud without what a plan cannot depend on."""
    asking = {demand.tenant for demand in cloud.demand}
    return dataclasses.replace(
        cloud,
        content_hash="",
        gateway=Gateway(),
        billing=Billing(),
        models={
            key: dataclasses.replace(
                model,
                price_per_mtok=dataclasses.replace(
                    model.price_per_mtok,
                    input=Decimal(0), cached_input=Decimal(0), output=Decimal(0),
                ),
            )
            for key, model in cloud.models.items()
        },
        tenants={
            key: Tenant(
                key=key,
                allowed_sites=tenant.allowed_sites,
                allowed_models=tenant.allowed_models,
                carbon_limit_g_per_kwh=tenant.carbon_limit_g_per_kwh,
            )
            for key, tenant in cloud.tenants.items()
            if key in asking
        },
    )  # fmt: skip
