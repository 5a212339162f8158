"""What can be wrong with a cloud file, and how a mistake is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CODES: Mapping[str, str] = {
    "E100": "The file cannot be read",
    "E101": "The file is not valid YAML",
    "E102": "The file is nested too deep or grows too large",
    "E103": "A key stands twice in one mapping",
    "E104": "A value is outside its bounds",
    "E105": "An unknown key",
    "E106": "A required key is missing",
    "E107": "A value is of the wrong type",
    "E108": "A value is none of the allowed ones",
    "E109": "A name has characters that names cannot have",
    "E110": "Exactly one of several keys is needed",
    "E201": "A model that the file does not declare",
    "E202": "A tenant that the file does not declare",
    "E203": "A site that the file does not declare",
    "E204": "A metro that the catalog does not know",
    "E205": "A site stands where no data-center space is bought",
    "E206": "An accelerator that the catalog does not know",
    "E207": "A trace or daily shape that the catalog does not know",
    "E208": "A model configuration cannot be read",
    "E209": "A precision that cannot be served",
    "E210": "A currency without an exchange rate",
    "E211": "Shares of metros do not sum to 1",
    "E212": "No power price is known for the metro",
    "E213": "A figure of the accelerator is not known",
    "E214": "Two pools of a site have one name",
    "E215": "A demand contradicts what its tenant may use",
}
"""All codes. E1xx: the file on its own; E2xx: what it refers to. A page each in `docs/errors`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a cloud file.

    Attributes:
        file: name of the file as the user gave it.
        line: line of the mistake, from 1; 0 where it concerns the whole file.
        column: column of the mistake, from 1; 0 where it concerns the whole file.
        code: a key of `CODES`.
        message: what is wrong, without a full stop.
        remedy: what to do, as a sentence.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    remedy: str

    def __post_init__(self) -> None:
        assert self.code in CODES, self.code

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.code} {self.message}. {self.remedy}".rstrip()


class SpecError(Exception):
    """A cloud file with mistakes: all of them, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        assert problems, "an error without a mistake"
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.column, p.code)))
        super().__init__("\n".join(map(str, self.problems)))
