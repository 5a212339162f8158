"""Relations among public figures: those that were published, and those that follow from them.

python tools/public/relations.py                  all that were published, checked
python tools/public/relations.py --derived        what else follows
python tools/public/relations.py 'cw_rev_q2_25 / cw_mw_2025-06-30'
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from figure_formulas import FormulaError, evaluate
from figures import PUBLIC, Figure, read_figures

SHARE = "NA"
"""What stands for a formula where a share was reported without what it was made from."""


@dataclass(frozen=True, slots=True)
class Relation:
    """What figures come to by a formula; `reported` and `tolerance` where somebody published it."""

    key: str
    company: str
    meaning: str
    formula: str
    unit: str
    reported: Decimal | None = None
    tolerance: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A relation and what the figures come to; no value for a share that was only reported."""

    relation: Relation
    value: Decimal | None

    @property
    def holds(self) -> bool:
        """Whether value and report agree within the tolerance; a bare report does."""
        relation = self.relation
        if self.value is None or relation.reported is None or relation.tolerance is None:
            return True
        return abs(self.value - relation.reported) <= relation.tolerance


def numbers(figures: Mapping[str, Figure]) -> Mapping[str, Decimal]:
    """The values by id."""
    return {key: figure.number for key, figure in figures.items()}


def published(path: Path = PUBLIC / "relations.csv") -> Sequence[Relation]:
    """Relations whose value somebody published."""
    with path.open(newline="") as table:
        return [
            Relation(
                key=row["id"],
                company=row["company"],
                meaning=row["relation"],
                formula=row["formula"],
                unit=row["unit"],
                reported=Decimal(row["reported"]),
                tolerance=Decimal(row["tolerance"]),
            )
            for row in csv.DictReader(table)
        ]


def derived(path: Path = PUBLIC / "derived.csv") -> Sequence[Relation]:
    """Relations that follow from the figures, whether anybody published them or not."""
    with path.open(newline="") as table:
        return [
            Relation(row["id"], row["company"], row["relation"], row["formula"], row["unit"])
            for row in csv.DictReader(table)
        ]


def check(relations: Sequence[Relation], values: Mapping[str, Decimal]) -> Sequence[Checked]:
    """Each relation with what the figures come to.

    Raises:
        FormulaError: A formula cannot be read or names what is not there.
    """
    return [
        Checked(one, None if one.formula == SHARE else evaluate(one.formula, values)[0])
        for one in relations
    ]


def _told(checked: Checked) -> str:
    relation = checked.relation
    value = "as reported" if checked.value is None else f"{checked.value:,.4f}"
    reported = "" if relation.reported is None else f"reported {relation.reported}"
    mark = "" if checked.holds else "  DOES NOT HOLD"
    return f"{relation.key:6} {relation.company:20.20} {relation.meaning:58.58} {value:>18} " + (
        f"{relation.unit:14.14} {reported}{mark}".rstrip()
    )


def main(arguments: Sequence[str]) -> int:
    """Prints relations, or the value of one formula; 1 where one does not hold, 2 for a mistake."""
    values = numbers(read_figures())
    if arguments and arguments[0] != "--derived":
        try:
            value, ids = evaluate(arguments[0], values)
        except FormulaError as error:
            print(error, file=sys.stderr)
            return 2
        print(f"{value:f}  from {', '.join(ids)}")
        return 0
    found = check(derived() if arguments else published(), values)
    print("\n".join(_told(one) for one in found))
    return 0 if all(one.holds for one in found) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
