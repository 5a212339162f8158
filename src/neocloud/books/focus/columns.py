"""The files of a version: their names, their columns, and what stands in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from neocloud.books.focus.figures import shown
from neocloud.books.focus.records import (
    BillingPeriod,
    ContractCommitment,
    CostAndUsage,
    FocusExport,
    InvoiceDetail,
    Version,
)

_ONLY_LATER = frozenset({
    "ContractApplied", "HostProviderName", "InvoiceDetailId", "ServiceProviderName",
})  # fmt: skip
"""Columns of 1.4 that 1.2 has not."""
_ONLY_EARLIER: Mapping[str, str] = {
    "ProviderName": "service_provider_name",
    "PublisherName": "service_provider_name",
}
"""Columns of 1.2 that 1.4 has not, and where they are from."""


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """One file.

    Attributes:
        name: of the file: `focus_1_4_cost_and_usage.csv`.
        columns: column and the field that it shows.
        rows: the records.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: Sequence[msgspec.Struct]

    def lines(self) -> Iterator[list[str]]:
        """The head, then the rows, as text."""
        yield [name for name, _ in self.columns]
        fields = [field for _, field in self.columns]
        for row in self.rows:
            yield [shown(getattr(row, field)) for field in fields]


def datasets(export: FocusExport, version: Version) -> tuple[Dataset, ...]:
    """The files of an export: four of 1.4, Cost and Usage alone of 1.2."""
    if version is Version.V1_2:
        columns = [c for c in _columns(CostAndUsage) if c[0] not in _ONLY_LATER]
        columns = sorted([*columns, *_ONLY_EARLIER.items()])
        return (_dataset("cost_and_usage", version, columns, export.rows),)
    return (
        _dataset("cost_and_usage", version, _columns(CostAndUsage), export.rows),
        _dataset("contract_commitment", version, _columns(ContractCommitment), export.commitments),
        _dataset("billing_period", version, _columns(BillingPeriod), export.periods),
        _dataset("invoice_detail", version, _columns(InvoiceDetail), export.details),
    )


def _dataset(
    name: str, version: Version, columns: Iterable[tuple[str, str]], rows: Sequence[msgspec.Struct]
) -> Dataset:
    named = f"focus_{version.value.replace('.', '_')}_{name}.csv"
    return Dataset(name=named, columns=tuple(columns), rows=rows)


def _columns(kind: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """Columns of a record, by the names of its fields."""
    return [(field.encode_name, field.name) for field in msgspec.structs.fields(kind)]
