"""Which parts `neocloud report` has, and what they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from neocloud.catalog import Catalog
from neocloud.cli import report_finance, report_tiers
from neocloud.cli.cloud_file import open_figures, open_plan, plan_beside
from neocloud.cli.failure import Failure
from neocloud.cli.report_finance import Ran
from neocloud.cli.report_tiers import Asked, tiers_part
from neocloud.finance.board import Document, LeftOut
from neocloud.planner import Plan
from neocloud.spec import Cloud

PARTS = ("tiers", "finance", "indicators", "lender")
_USUAL = PARTS[:3]
"""What is shown without being asked for; a lender's packs are long, and for one lender each."""


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to report from.

    Attributes:
        cloud_file: the file.
        cloud: what it says.
        catalog: the catalog.
        plan: the plan beside it; None if there is none.
        missing: by part, why it cannot be made; empty where it can.
    """

    cloud_file: Path
    cloud: Cloud
    catalog: Catalog
    plan: Plan | None
    missing: Mapping[str, str]


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Parts that are shown, and whether the finance model must be run beside them."""

    shown: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    model: bool


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a lender's packs; None for all facilities, and for the first debt service."""

    facility: str | None
    month: str | None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """The report, and the run of the finance model where there was one."""

    document: Document
    ran: Ran | None


def ground_of(cloud_file: Path, plan_path: Path | None) -> Ground:
    """Open the file and its plan.

    Raises:
        Failure: the file is wrong; a plan was named that is not there; a plan is of another file.
    """
    cloud, catalog = open_figures(cloud_file)
    place = plan_beside(cloud_file, plan_path)
    there = plan_path is not None or place.exists()
    finance = report_finance.no_ground(cloud)
    return Ground(
        cloud_file=cloud_file,
        cloud=cloud,
        catalog=catalog,
        plan=open_plan(place, cloud) if there else None,
        missing={
            "tiers": report_tiers.no_ground(cloud, cloud_file, place),
            "finance": finance,
            "indicators": finance,
            "lender": finance or ("" if cloud.finance.debt else "`finance.debt` is empty"),
        },
    )


def choose(ground: Ground, asked: Sequence[str], needed: Sequence[str]) -> Chosen:
    """Which parts are shown.

    Args:
        ground: what there is.
        asked: parts that `--part` names; empty for whatever has ground.
        needed: parts that other options speak of.

    Raises:
        Failure: a part that is asked for or needed cannot be made, or none can.
    """
    for part in PARTS:
        if part in {*asked, *needed} and ground.missing[part]:
            raise Failure(f"{ground.cloud_file}: no {part}: {ground.missing[part]}.")
    usual = [part for part in _USUAL if not ground.missing[part]]
    wanted = {*asked} if asked else {*usual, *(part for part in needed if part == "lender")}
    if "tiers" in needed:
        wanted.add("tiers")
    if not wanted:
        told = "; ".join(f"no {part}: {ground.missing[part]}" for part in ("tiers", "finance"))
        raise Failure(f"{ground.cloud_file}: nothing to report: {told}.")
    return Chosen(
        shown=tuple(part for part in PARTS if part in wanted),
        left_out=() if asked else tuple(_left_out(ground, wanted)),
        model="finance" in needed,
    )


def _left_out(ground: Ground, wanted: set[str]) -> list[LeftOut]:
    """What is left out of all that a report may have, and why."""
    found = [
        LeftOut(part=part, reason=ground.missing[part])
        for part in ("tiers", "finance")
        if part not in wanted
    ]
    if not ground.missing["lender"] and "lender" not in wanted:
        reason = "certificate, borrowing base and collateral by facility: --part lender"
        found.append(LeftOut(part="lender", reason=reason))
    return found


def make_document(ground: Ground, chosen: Chosen, asked: Asked, pack: Pack) -> Made:
    """Make the parts.

    Raises:
        Failure: ledger or activity cannot be read; no such facility or month.
    """
    cloud, shown = ground.cloud, chosen.shown
    tiers = None
    if "tiers" in shown:
        assert ground.plan is not None, "tiers have no ground without a plan"
        tiers = tiers_part(cloud, ground.catalog, ground.cloud_file, ground.plan, asked)
    document = Document(
        cloud=cloud.name,
        currency=cloud.currency,
        reconstruction=report_finance.reconstruction(ground.cloud_file),
        left_out=chosen.left_out,
        tiers=None if tiers is None else tiers.report,
    )
    if not chosen.model and not set(shown) - {"tiers"}:
        return Made(document=document, ran=None)
    done = report_finance.ran(cloud, ground.catalog, ground.cloud_file, ground.plan)
    parts: dict[str, object] = {}
    if "finance" in shown:
        parts["finance"] = report_finance.finance_part(done)
    if "indicators" in shown:
        parts["indicators"] = report_finance.indicators_part(done, ground.cloud_file, tiers)
    if "lender" in shown:
        parts["lender"] = report_finance.lender_part(done, pack.facility, pack.month)
    return Made(document=msgspec.structs.replace(document, **parts), ran=done)
