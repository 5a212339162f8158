"""What can be wrong with a cloud file, and how a mistake is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of mistake: `meaning` without a full stop, `remedy` as sentences."""

    meaning: str
    remedy: str


_NAMED = "Use a name that stands there, or add it. The message gives the nearest names."

CODES: Mapping[str, Code] = {
    "E100": Code(
        "The file cannot be read",
        "Give the path of a text file in UTF-8 of at most a million bytes; `neocloud init` writes "
        "one to start from.",
    ),
    "E101": Code(
        "The file is not valid YAML",
        "Look at the place given and just before it: an unclosed quote or bracket, a tab, or a "
        "colon without a space.",
    ),
    "E102": Code(
        "The file is nested too deep or grows too large",
        "Write values out where aliases repeat them, and drop brackets around brackets.",
    ),
    "E103": Code("A key or value stands twice", "Keep one of the two."),
    "E104": Code(
        "A value is outside its bounds",
        "Mind the unit: shares are parts of 1, power is in MW, latencies are in milliseconds.",
    ),
    "E105": Code(
        "An unknown key",
        "Correct the spelling; every key of this version is in cloud-file.md beside this page.",
    ),
    "E106": Code("A required key is missing", "Add it; the message says what it means."),
    "E107": Code("A value is of the wrong type", "Write what the message expects."),
    "E108": Code("A value is none of the allowed ones", "Use one of the words in the message."),
    "E109": Code(
        "A text has characters that it cannot have",
        "Names stand in ids, paths and URLs: up to 63 letters, digits, dots, dashes and "
        "underscores, a letter or digit first. Other texts take no control characters.",
    ),
    "E110": Code("Exactly one of several keys is needed", "Keep one of the keys in the message."),
    "E111": Code(
        "A value looks like one in another unit",
        "Power is in MW, energy prices are per MWh, token prices per million tokens. If the value "
        "is meant, the message says how to confirm it.",
    ),
    "E112": Code(
        "Dates or amounts contradict each other",
        "Change one of the two that the message names.",
    ),
    "E201": Code("A model that the file does not declare", f"Look under `models`. {_NAMED}"),
    "E202": Code("A tenant that the file does not declare", f"Look under `tenants`. {_NAMED}"),
    "E203": Code("A site that the file does not declare", f"Look under `sites`. {_NAMED}"),
    "E204": Code(
        "A metro that the catalog does not know",
        "Use the catalog's name, in small letters with dashes. Where a place is not in it, take "
        "the nearest large city.",
    ),
    "E205": Code(
        "A site stands where no data-center space is bought",
        "Put the site at one of the nearest markets, which the message names.",
    ),
    "E206": Code(
        "An accelerator that the catalog does not know",
        "Use the catalog's key, such as `h100-sxm` or `mi300x`.",
    ),
    "E207": Code(
        "A trace or daily shape that the catalog does not know",
        "Use a name of the catalog, or give fixed lengths instead of a trace.",
    ),
    "E208": Code(
        "A model configuration cannot be read",
        "Give a name of the catalog or the path of a model's own `config.json`, relative to the "
        "cloud file.",
    ),
    "E209": Code(
        "A precision that cannot be served",
        "Leave `precisions` out to serve the checkpoint as it was published, or name one that the "
        "message lists.",
    ),
    "E210": Code(
        "A currency without an exchange rate",
        "Add the rate under `exchange_rates`: units of the cloud's currency for one of the other.",
    ),
    "E211": Code("Shares of metros do not sum to 1", "Change them, or give a list: equal shares."),
    "E212": Code(
        "No power price is known for the metro",
        "Add `power` with your contract; public prices exist for some markets only.",
    ),
    "E213": Code(
        "A figure of the accelerator is not known",
        "Give it in the file where the message says how, or use an accelerator whose figures are "
        "published.",
    ),
    "E214": Code("Two pools of a site have one name", "Give each pool its own `name`."),
    "E215": Code(
        "A demand contradicts what its tenant may use",
        "Allow the tenant the model, or drop the demand.",
    ),
    "E216": Code("A contract that the file does not declare", f"Look under `contracts`. {_NAMED}"),
    "E217": Code(
        "An asset that the file does not declare", f"Look under `finance.assets`. {_NAMED}"
    ),
    "E218": Code(
        "A trace cannot be read",
        "Give the path of a CSV or JSON lines file, relative to the cloud file, with a row for "
        "each request: `arrival_s`, `input_tokens`, `output_tokens`.",
    ),
    "E219": Code(
        "A provider that the catalog has no price of",
        "Use a name of the catalog's list of rental prices.",
    ),
    "E220": Code(
        "A base rate that the file does not declare", f"Look under `finance.base_rates`. {_NAMED}"
    ),
}
"""All codes. E1xx: the file on its own; E2xx: what it refers to. `docs/reference/errors.md` shows
each with an example."""


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


@dataclass(frozen=True, slots=True)
class Note:
    """What is no mistake but should be known.

    Attributes:
        file: name of the file as the user gave it.
        line: line that it concerns, from 1.
        message: what should be known, as sentences.
    """

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class SpecError(Exception):
    """A cloud file with mistakes: all of them, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        assert problems, "an error without a mistake"
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.column, p.code)))
        super().__init__("\n".join(map(str, self.problems)))
