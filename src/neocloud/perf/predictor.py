"""Everything that predictions rest on, as one value: fit, learned part, intervals."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import msgspec

from neocloud.perf.constants import Constants, Fit, Levels, constants_of
from neocloud.perf.features import UNDATED
from neocloud.perf.intervals import Bands
from neocloud.perf.learned import Learned, LearnedTable
from neocloud.perf.levels import EPOCH

DATA = Path(__file__).parent / "data"
CALIBRATION_SCHEMA = "neocloud.calibration/1"


@dataclass(frozen=True)
class Predictor:
    """What `make fit` made, or that with a user's own calibration on top.

    Attributes:
        fit: parameters of the physics.
        table: the learned part; None for the physics alone.
        bands: how far off predictions are; None where that is not known.
        newest: year, with its fraction, of the newest rows by engine: what a prediction without a
            date stands for.
        digest: sixteen hex digits over all of it, kept in plans.
        calibration: what a user's own rows changed, or None.
    """

    fit: Fit
    table: LearnedTable | None
    bands: Bands | None
    newest: dict[str, float]
    digest: str
    calibration: Calibration | None = None

    def year(self, engine: str) -> float:
        """Year that an undated prediction stands for; `UNDATED` where no row has a date."""
        return self.newest.get(engine, UNDATED)

    def age(self, engine: str) -> float:
        """Years between the fit's date and what an undated prediction stands for."""
        return self.newest.get(engine, EPOCH) - EPOCH

    def constants(self, levels: Levels) -> Constants:
        """Constants of a configuration under the fit."""
        # A search looks at many configurations that differ in nothing that constants vary with.
        found = self._constants.get(levels)
        if found is None:
            found = self._constants[levels] = constants_of(self.fit, levels)
        return found

    @cached_property
    def _constants(self) -> dict[Levels, Constants]:
        return {}

    @cached_property
    def generations(self) -> frozenset[str]:
        """Generations of accelerators that rows of the fit were measured on."""
        return frozenset(
            generation
            for levels in self.fit.factors.values()
            for generation in levels.get("generation", ())
        )

    @cached_property
    def learned(self) -> Learned | None:
        """The learned part, unpacked when first asked for."""
        return None if self.table is None else Learned(self.table)


class FitFile(msgspec.Struct, frozen=True, kw_only=True):
    """`fit.json`: parameters, newest rows, and where they come from."""

    source: str
    rows: int
    newest: dict[str, float]
    fit: Fit


@cache
def shipped() -> Predictor:
    """The predictor that the package carries."""
    return read_predictor(DATA)


def read_predictor(folder: Path) -> Predictor:
    """A predictor as `make fit` lays it down."""
    fit_text = (folder / "fit.json").read_bytes()
    table_text = (folder / "learned.json.gz").read_bytes()
    band_text = (folder / "intervals.json").read_bytes()
    file = msgspec.json.decode(fit_text, type=FitFile)
    digest = hashlib.sha256(b"\0".join((fit_text, table_text, band_text))).hexdigest()[:16]
    return Predictor(
        fit=file.fit,
        table=msgspec.json.decode(gzip.decompress(table_text), type=LearnedTable),
        bands=msgspec.json.decode(band_text, type=Bands),
        newest=file.newest,
        digest=digest,
    )


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One factor that a calibration moved; logarithms."""

    term: str
    level: str
    key: str
    shipped: float
    calibrated: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """`calibration.json`: what a user's own rows changed against the shipped fit."""

    schema: str = CALIBRATION_SCHEMA
    base: str
    """Digest of the predictor that it was made on."""
    source: str
    rows: int
    changes: list[Change]


class CalibrationFileError(ValueError):
    """A calibration that cannot be used."""


def calibrated(predictor: Predictor, calibration: Calibration) -> Predictor:
    """The predictor with a calibration's factors in place of its own."""
    factors = {
        term: {level: dict(keys) for level, keys in levels.items()}
        for term, levels in predictor.fit.factors.items()
    }
    for c in calibration.changes:
        factors.setdefault(c.term, {}).setdefault(c.level, {})[c.key] = c.calibrated
    text = msgspec.json.encode(calibration)
    return Predictor(
        fit=Fit(factors=factors),
        table=predictor.table,
        bands=predictor.bands,
        newest=predictor.newest,
        digest=hashlib.sha256(predictor.digest.encode() + text).hexdigest()[:16],
        calibration=calibration,
    )


def predictor_of(calibration: Calibration | None) -> Predictor:
    """The shipped predictor, with a calibration on top if there is one.

    Raises:
        CalibrationFileError: it was made on another fit.
    """
    if calibration is None:
        return shipped()
    if calibration.schema != CALIBRATION_SCHEMA or calibration.base != shipped().digest:
        raise CalibrationFileError(
            "the calibration was made on another fit than this version's; make it again with "
            "`neocloud accuracy --fit ROWS.csv --out calibration.json`"
        )
    return calibrated(shipped(), calibration)


def predictor_with(path: Path | None) -> Predictor:
    """The shipped predictor, with the calibration of a file on top if one is named.

    Raises:
        CalibrationFileError: the file cannot be read, is none, or was made on another fit.
    """
    if path is None:
        return shipped()
    try:
        calibration = msgspec.json.decode(path.read_bytes(), type=Calibration)
    except OSError as error:
        raise CalibrationFileError(f"{path}: cannot be read ({error.strerror})") from None
    except msgspec.DecodeError as error:
        raise CalibrationFileError(f"{path}: is no calibration ({error})") from None
    try:
        return predictor_of(calibration)
    except CalibrationFileError as error:
        raise CalibrationFileError(f"{path}: {error}") from None
