"""CoreWeave before the quarters that are forecast."""

from __future__ import annotations

from datetime import date

from quarter import ACCELERATORS_MW, Customer, Owed, Quarter

_DEPRECIATION = "(cw_ebitda_{0}-cw_aoi_{0})"
_PRINCIPAL = (
    "(cw_d_ddtl10_0625+cw_d_ddtl20_0625+cw_d_2030seniornotes_0625+cw_d_revolver_0625"
    "+cw_d_oemfinancing_0625+cw_d_magnetarloan_0625)"
)
_RUNNING_Q3 = "cw_opex_q3_25-cw_ti_q3_25-cw_sm_q3_25-cw_ga_q3_25"
_OTHERS = Customer(key="others", credit="unrated")

_OWED_NOTE = (
    "What was owed at 2025-09-30 was not found: what was owed at 2025-06-30, and what was spent "
    "since (the middle of the outlook) beyond what was earned, at the same cash."
)
_CAPEX_NOTE = (
    "Capital expenditure is the year's outlook less the cash invested in the first quarter and the "
    "middles of the outlooks for the second and third."
)
_FOURTH_NOTE = (
    "EBITDA, interest and depreciation of the fourth quarter were not found: shares of revenue and "
    "depreciation per megawatt as in the third; the rate is that of the third, with the debt at "
    "2025-09-30 between its neighbours at constant growth."
)


def _whole(rate: str, principal: str) -> tuple[Owed, ...]:
    """All debt as one, where no list of instruments was found."""
    return (
        Owed(
            key="all-debt",
            kind="term_loan",
            principal=principal,
            rate=rate,
            maturity=date(2030, 1, 1),
            amortisation="straight",
            days_origin="assumption: five years, paid back evenly",
        ),
    )


def _listed() -> tuple[Owed, ...]:
    """Instruments of CoreWeave at 2025-06-30, and the notes that followed."""
    rows = (
        ("ddtl-1", "term_loan", "ddtl10", date(2028, 3, 1), "straight"),
        ("ddtl-2", "term_loan", "ddtl20", date(2029, 5, 1), "straight"),
        ("notes-2030", "bond", "2030seniornotes", date(2030, 6, 1), "bullet"),
        ("bank-line", "term_loan", "revolver", date(2027, 6, 1), "bullet"),
        ("vendors", "term_loan", "oemfinancing", date(2028, 5, 1), "straight"),
        ("magnetar", "term_loan", "magnetarloan", date(2029, 1, 1), "straight"),
    )
    return (
        *(
            Owed(
                key=key,
                kind=kind,
                principal=f"cw_d_{figure}_0625",
                rate=f"cw_er_{figure}*net",
                maturity=maturity,
                amortisation=amortisation,
                days_origin="XBRL note 10: the month; the day and how it is paid back are assumed",
            )
            for key, kind, figure, maturity, amortisation in rows
        ),
        Owed(
            key="notes-2031",
            kind="bond",
            principal="cw_n31",
            rate="cw_n31c",
            maturity=date(2031, 2, 1),
            amortisation="bullet",
            first_day=date(2025, 7, 25),
            days_origin="8-K of 2025-07-28: issued 2025-07-25, due 2031; the day is assumed",
        ),
    )


COREWEAVE = (
    Quarter(
        file="coreweave-like-2025-03-31.yaml",
        company="CoreWeave",
        name="Q2 2025",
        first=date(2025, 4, 1),
        cut_off=date(2025, 5, 17),
        power_before="cw_mw_2024-12-31",
        power_now="cw_mw_2025-03-31",
        revenue="cw_rev_q1_25",
        running="cw_rev_q1_25-cw_ebitda_q1_25",
        ebitda="cw_ebitda_q1_25",
        depreciation=_DEPRECIATION.format("q1_25"),
        interest="cw_intn_q1_25",
        debt_before="cw_debt_fy24",
        debt_now="cw_debt_q1_25",
        life="cw_life",
        accelerators=ACCELERATORS_MW,
        cash="cw_cash_q1_25",
        cash_origin="",
        capex="mean(cw_capexg_q2_25,cw_capexg_q2_25h)",
        new_rate="ffr_2024-12+cw_ddtl2_sp_ig1/100",
        owed=_whole("rate", "cw_debt_q1_25"),
        metro="dallas",
        contracted="cw_cmw_2025-03-31",
        customers=(Customer(key="microsoft", credit="AAA", share="cw_top1_fy24"), _OTHERS),
        backlog="cw_bk_2025-03-31",
        published={
            "revenue": "cw_rev_q2_25",
            "interest": "cw_intn_q2_25",
            "depreciation": _DEPRECIATION.format("q2_25"),
            "ebitda": "cw_ebitda_q2_25",
        },
        outlook={"revenue": "mean(cw_revg_q2_25,cw_revg_q2_25h)"},
        notes=("The cost of revenue was not found: all running cost grows with power.",),
    ),
    Quarter(
        file="coreweave-like.yaml",
        company="CoreWeave",
        name="Q3 2025",
        first=date(2025, 7, 1),
        cut_off=date(2025, 8, 15),
        power_before="cw_mw_2025-03-31",
        power_now="cw_mw_2025-06-30",
        revenue="cw_rev_q2_25",
        running="cw_rev_q2_25-cw_gp_q2_25",
        ebitda="cw_ebitda_q2_25",
        depreciation=_DEPRECIATION.format("q2_25"),
        interest="cw_intn_q2_25",
        debt_before="cw_debt_q1_25",
        debt_now=_PRINCIPAL,
        life="cw_life",
        accelerators=ACCELERATORS_MW,
        cash="cw_cash_q1_25",
        cash_origin="assumption: as three months before; none later was found",
        capex="mean(cw_capexg_q3_25,cw_capexg_q3_25h)",
        new_rate="cw_n31c",
        owed=_listed(),
        metro="dallas",
        contracted="cw_cmw_2025-06-30",
        target=(date(2025, 12, 31), "cw_mwtarget_25"),
        customers=(Customer(key="microsoft", credit="AAA", share="cw_top1_h1_25"), _OTHERS),
        backlog="cw_bk_2025-06-30",
        published={
            "revenue": "cw_rev_q3_25",
            "interest": "cw_intn_q3_25",
            "depreciation": _DEPRECIATION.format("q3_25"),
            "ebitda": "cw_ebitda_q3_25",
        },
        outlook={
            "revenue": "mean(cw_revg_q3_25,cw_revg_q3_25h)",
            "interest": "mean(cw_intg_q3_25,cw_intg_q3_25h)",
        },
    ),
    Quarter(
        file="coreweave-like-2025-09-30.yaml",
        company="CoreWeave",
        name="Q4 2025",
        first=date(2025, 10, 1),
        cut_off=date(2025, 11, 14),
        power_before="cw_mw_2025-06-30",
        power_now="cw_mw_2025-09-30",
        revenue="cw_rev_q3_25",
        running=_RUNNING_Q3,
        ebitda="cw_ebitda_q3_25",
        depreciation=_DEPRECIATION.format("q3_25"),
        interest="cw_intn_q3_25",
        debt_before=_PRINCIPAL,
        debt_now=f"{_PRINCIPAL}+mean(cw_capexg_q3_25,cw_capexg_q3_25h)+interest-ebitda",
        life="cw_life",
        accelerators=ACCELERATORS_MW,
        cash="cw_cash_q1_25",
        cash_origin="assumption: as half a year before; none later was found",
        capex="mean(cw_capexg_25,cw_capexg_25h)-cw_icf_q1_25-mean(cw_capexg_q2_25,cw_capexg_q2_25h)"
        "-mean(cw_capexg_q3_25,cw_capexg_q3_25h)",
        new_rate="cw_n31c",
        owed=_whole("rate", "debt_now"),
        metro="dallas",
        contracted="cw_cmw_2025-09-30",
        target=(date(2025, 12, 31), "cw_mwtarget_25b"),
        customers=(Customer(key="microsoft", credit="AAA", share="cw_top1_h1_25"), _OTHERS),
        backlog="cw_bk_2025-09-30",
        published={"revenue": "cw_rev_fy25-cw_rev_9m_25"},
        outlook={"revenue": "mean(cw_revg_25,cw_revg_25h)-cw_rev_9m_25"},
        notes=(_OWED_NOTE, _CAPEX_NOTE),
    ),
    Quarter(
        file="coreweave-like-2025-12-31.yaml",
        company="CoreWeave",
        name="Q1 2026",
        first=date(2026, 1, 1),
        cut_off=date(2026, 3, 6),
        power_before="cw_mw_2025-09-30",
        power_now="cw_mw_2025-12-31",
        revenue="cw_rev_fy25-cw_rev_9m_25",
        running=f"({_RUNNING_Q3})/cw_rev_q3_25*(cw_rev_fy25-cw_rev_9m_25)",
        ebitda="cw_ebitda_q3_25/cw_rev_q3_25*(cw_rev_fy25-cw_rev_9m_25)",
        depreciation=_DEPRECIATION.format("q3_25") + "/cw_mw_2025-06-30*cw_mw_2025-09-30",
        interest="cw_intn_q3_25",
        debt_before=_PRINCIPAL,
        debt_now="cw_debt_fy25",
        rate="100*4*interest/mean(debt_before,between(debt_before,debt_now,0.5))",
        life="cw_life",
        accelerators=ACCELERATORS_MW,
        cash="cw_cash_fy25",
        cash_origin="",
        capex="cw_capexg_lo_26a/4",
        new_rate="cw_n31c",
        owed=_whole("rate", "cw_debt_fy25"),
        metro="dallas",
        contracted="cw_cmw_2025-12-31",
        target=(date(2026, 12, 31), "cw_mwtarget_26"),
        customers=(Customer(key="microsoft", credit="AAA", share="cw_top1_fy25"), _OTHERS),
        backlog="cw_bk_2025-12-31",
        equity={date(2026, 1, 31): "cw_nvda_26"},
        published={"revenue": "cw_rev_q1_26", "interest": "cw_intn_q1_26"},
        notes=(
            _FOURTH_NOTE,
            "Capital expenditure is a quarter of the lower end of the year's outlook.",
        ),
    ),
)
"""Q2 2025 to Q1 2026."""
