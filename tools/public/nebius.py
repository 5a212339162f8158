"""Nebius before the quarters that are forecast."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from quarter import ACCELERATORS_MW, NONE, Customer, Owed, Quarter

_NEBIUS_MW = "nb_mw_ye24,nb_mw_con_ye25"


def _nebius_revenue(
    *,
    file: str,
    name: str,
    first: date,
    cut_off: date,
    power_before: str,
    power_now: str,
    revenue: str,
    published: Mapping[str, str],
) -> Quarter:
    """A quarter of which the figures allow no more than the revenue."""
    return Quarter(
        file=file,
        company="Nebius",
        name=name,
        first=first,
        cut_off=cut_off,
        power_before=power_before,
        power_now=power_now,
        revenue=revenue,
        running=NONE,
        ebitda=NONE,
        depreciation=NONE,
        interest=NONE,
        debt_before=NONE,
        debt_now=NONE,
        life=NONE,
        accelerators=ACCELERATORS_MW,
        cash=NONE,
        cash_origin="",
        capex=NONE,
        new_rate=NONE,
        owed=(),
        metro="kansas-city",
        customers=(Customer(key="cloud-customers", credit="unrated"),),
        published=published,
        notes=(
            "Revenue alone: EBITDA, depreciation and debt of the quarter before were not found.",
            (
                "Power between the end of 2024 and the outlook for the end of 2025, connected, at "
                "constant growth: what was active was not found."
            ),
        ),
    )


def _yield(coupon: str, repaid: str, years: str) -> str:
    """Coupon and accretion a year over the mean of issue and redemption, per cent."""
    return f"({coupon}+({repaid} - 100)/{years})/mean(1,{repaid}/100)"


def _convertible(key: str, principal: str, rate: str, maturity: date) -> Owed:
    return Owed(
        key=key,
        kind="convertible",
        principal=principal,
        rate=rate,
        maturity=maturity,
        amortisation="bullet",
        days_origin="press releases of 2025-06-02 and 2025-09-10",
    )


_EACH = "(nb_sep25-nb_sep25e-nb_sep25o)/2"
_NOTES = (
    _convertible("notes-2029", "nb_n29", _yield("nb_n29c", "nb_n29a", "4"), date(2029, 6, 5)),
    _convertible("notes-2030", _EACH, _yield("nb_n30c", "nb_n30a", "5"), date(2030, 9, 15)),
    _convertible("notes-2031", "nb_n31", _yield("nb_n31c", "nb_n31a", "6"), date(2031, 6, 5)),
    _convertible("notes-2032", _EACH, _yield("nb_n32c", "nb_n30a", "7"), date(2032, 9, 15)),
)
NEBIUS = (
    _nebius_revenue(
        file="nebius-like-2025-06-30.yaml",
        name="Q3 2025",
        first=date(2025, 7, 1),
        cut_off=date(2025, 8, 10),
        power_before=f"between({_NEBIUS_MW},0.25)",
        power_now=f"between({_NEBIUS_MW},0.5)",
        revenue="nb_rev_q2_25",
        published={"revenue": "nb_rev_q3_25"},
    ),
    _nebius_revenue(
        file="nebius-like-2025-09-30.yaml",
        name="Q4 2025",
        first=date(2025, 10, 1),
        cut_off=date(2025, 11, 14),
        power_before=f"between({_NEBIUS_MW},0.5)",
        power_now=f"between({_NEBIUS_MW},0.75)",
        revenue="nb_rev_q3_25",
        published={"revenue": "nb_rev_q4_25"},
    ),
    Quarter(
        file="nebius-like.yaml",
        company="Nebius",
        name="Q1 2026",
        first=date(2026, 1, 1),
        cut_off=date(2026, 2, 15),
        power_before="between(nb_mw_ye24,nb_mw_act_ye25,0.75)",
        power_now="nb_mw_act_ye25",
        revenue="nb_rev_q4_25",
        running="nb_cor_q4_25",
        ebitda="nb_ebitda_q4_25",
        depreciation="nb_da_q4_25",
        interest=NONE,
        debt_before=NONE,
        debt_now=NONE,
        life="nb_life",
        accelerators=ACCELERATORS_MW,
        cash="nb_cash_fy25",
        cash_origin="",
        capex="mean(nb_capexg_lo,nb_capexg_hi)/4",
        new_rate=_yield("nb_n32c", "nb_n30a", "7"),
        owed=_NOTES,
        metro="kansas-city",
        customers=(
            Customer(key="cloud-customers", credit="unrated"),
            Customer(key="microsoft", credit="AAA", undelivered="nb_msft_lo"),
            Customer(key="meta", credit="AA", undelivered="nb_meta1"),
        ),
        published={
            "revenue": "nb_rev_q1_26",
            "depreciation": "nb_da_q1_26",
            "ebitda": "nb_ebitda_q1_26",
        },
        notes=(
            (
                "Power active at 2025-09-30 was not found: between 2024-12-31 and 2025-12-31 at "
                "constant growth."
            ),
            "Interest is gross: what of it is capitalised was not found, nor what came out.",
            "Accelerators of a megawatt as CoreWeave's: Nebius publishes none.",
            "Capital expenditure is a quarter of the middle of the year's outlook.",
        ),
    ),
)
"""Q3 2025 to Q1 2026."""
