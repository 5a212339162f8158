"""What the catalog holds. A figure travels with its unit, source, date and grade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what only plans or checks a file should not pay for loading numpy
    import numpy as np
    from numpy.typing import NDArray


class Grade(StrEnum):
    """How a figure is known, best first."""

    MEASURED = "measured"
    PUBLISHED = "published"  # a data sheet, a filing, a price list, a regulator's table
    DERIVED = "derived"  # computed from other figures; the note says how
    ASSUMED = "assumed"  # nobody published it; the note says why this value
    UNKNOWN = "unknown"  # there is no value; the note says why


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from."""

    key: str
    title: str
    licence: str
    date: str
    changed: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its origin; `value` is None where nobody has published it."""

    value: float | None
    unit: str
    source: str
    date: str
    grade: Grade
    note: str = ""

    def known(self, what: str) -> float:
        """The value, or `MissingFigureError` naming `what` is missing."""
        if self.value is None:
            raise MissingFigureError(f"{what} is not known ({self.note or self.source})")
        return self.value


class CatalogError(ValueError):
    """Something asked of the catalog that it does not hold; `nearest` are the closest names."""

    def __init__(self, message: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


class MissingFigureError(CatalogError):
    """A figure that a computation needs and that no source gives."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One kind of accelerator as sold in a node. Rates are dense and one way."""

    key: str
    name: str
    maker: str
    year: int
    generation: str
    """Family of chips that share an architecture: ampere, ada, hopper, blackwell, blackwell-ultra,
    cdna3, cdna4, tpu, gaudi, trainium, ascend."""
    memory_bytes: Figure
    memory_bytes_per_s: Figure
    flops: Mapping[str, Figure]
    """Dense FLOP/s by number format: `bf16`, `fp8`, `fp4`, and operations on `int8`."""
    scale_up_bytes_per_s: Figure
    """Bandwidth of one accelerator into its fabric, one way."""
    scale_out_bytes_per_s: Figure
    """Bandwidth of one accelerator to other nodes: its share of the network cards, one way."""
    scale_up_domain: int
    """Accelerators that share the fabric."""
    full_mesh: bool
    """True where each pair has only its own link (AMD): n accelerators use (n-1)/7 of the rate."""
    tdp_w: Figure
    node_accelerators: int
    node_power_w: Figure
    """Whole node at its published maximum, shared by `node_accelerators`."""
    all_in_power_w: Figure
    """One accelerator with its share of servers, network and cooling."""
    rack_power_w: Figure
    """A whole rack, as the note says how filled."""
    liquid_cooled: bool
    """True where air alone does not cool it."""
    capex_usd: Figure
    """Bought and installed, with its share of server, network and storage; per accelerator."""
    measured: bool
    """True where measured end-to-end results of this very kind stand behind predictions."""


class AttentionKind(StrEnum):
    """Which past tokens a layer's attention reads."""

    FULL = "full"
    SLIDING = "sliding"
    """The last `window` tokens, and only these are kept."""
    SPARSE = "sparse"
    """The `window` tokens (of all that are kept) that an indexer scores highest."""
    LINEAR = "linear"
    """None: a state of fixed size stands for the past."""


@dataclass(frozen=True, slots=True)
class LayerGroup:
    """Layers of one shape.

    Attributes:
        count: how many.
        attention: which past tokens they read.
        window: tokens that sliding attention keeps or that sparse attention reads; 0 for others.
        attention_parameters: weights of the projections around the attention, a layer, with their
            biases; an indexer's and a linear layer's convolutions too.
        dense_parameters: weights of the dense or shared feed-forward part and the router, a layer,
            with their biases.
        experts: routed experts; 0 for a dense layer.
        experts_per_token: of them, how many one token visits.
        expert_parameters: weights of one expert, with its biases.
        norm_parameters: scales of the layer's norms and attention sinks, a layer: stored, too few
            to cost time.
        kv_elements: numbers that the cache keeps for one token, a layer: keys and values of all
            KV heads, or the latent with its rotary part (MLA); 0 for linear layers.
        kv_split: parts into which tensor parallelism can split the cache: KV heads; 1 for a latent.
        kv_stride: tokens that share one kept entry (compressed attention); 1 elsewhere. `window`
            then counts such entries.
        recent_tokens: last tokens that compressed attention keeps and reads whole beside them.
        index_elements: numbers that an indexer keeps for each token and reads for all of the past.
        state_elements: numbers that a linear layer keeps for a sequence, whatever its length.
        pair_flops: FLOPs of one (query, key) pair in prefill, all heads.
        decode_pair_flops: the same in decode: more for a latent that is read absorbed.
        index_pair_flops: FLOPs of an indexer's score of one pair.
    """

    count: int
    attention: AttentionKind
    window: int
    attention_parameters: int
    dense_parameters: int
    experts: int
    experts_per_token: int
    expert_parameters: int
    norm_parameters: int = 0
    kv_elements: int = 0
    kv_split: int = 1
    kv_stride: int = 1
    recent_tokens: int = 0
    index_elements: int = 0
    state_elements: int = 0
    pair_flops: float = 0.0
    decode_pair_flops: float = 0.0
    index_pair_flops: float = 0.0

    @property
    def parameters(self) -> int:
        """All weights of one layer."""
        return (
            self.attention_parameters
            + self.dense_parameters
            + self.experts * self.expert_parameters
            + self.norm_parameters
        )


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a model's own `config.json` says that cost and speed depend on."""

    name: str
    model_type: str
    hidden: int
    layers: tuple[LayerGroup, ...]
    query_heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    embedding_parameters: int
    """Input embedding: stored, only gathered from."""
    head_parameters: int
    """Output projection: read in every step; 0 extra storage where `tied`."""
    tied: bool
    max_context: int
    checkpoint_precision: str
    """Number format of the layers' weights as published: bf16, fp8, mxfp4, ..."""
    attention_precision: str
    """Number format of the attention projections: `checkpoint_precision` unless left out."""
    head_precision: str = "bf16"
    """Number format of embedding and head, which checkpoints leave unconverted."""
    norm_parameters: int = 0
    """Scales of the norm before the head."""
    expert_precision: str = ""
    """Number format of the routed experts' weights; empty: `checkpoint_precision`."""
    mtp_layers: int = 0
    """Layers that draft further tokens (multi-token prediction)."""
    mtp_parameters: int = 0
    """Weights of those layers; not among `parameters`."""

    @property
    def published_precision(self) -> str:
        """Format that the checkpoint is called by: of the experts where there are any."""
        return self.expert_precision or self.checkpoint_precision

    @property
    def layer_count(self) -> int:
        """Layers of all groups."""
        return sum(group.count for group in self.layers)

    @property
    def parameters(self) -> int:
        """All weights, embedding and head counted once where tied."""
        inside = sum(g.count * g.parameters for g in self.layers)
        outside = self.embedding_parameters + (0 if self.tied else self.head_parameters)
        return inside + outside + self.norm_parameters

    @property
    def active_parameters(self) -> int:
        """Weights that one token is multiplied with: the head counts, the embedding does not."""
        inside = sum(
            g.count
            * (
                g.attention_parameters
                + g.dense_parameters
                + g.experts_per_token * g.expert_parameters
            )
            for g in self.layers
        )
        return inside + self.head_parameters


@dataclass(frozen=True, slots=True)
class Metro:
    """A metropolitan area: where users are, or where data centers stand."""

    key: str
    name: str
    country: str
    latitude: float
    longitude: float
    region: str
    internet_users: int
    """Weight for demand that follows people online."""
    dc_market: bool
    """True for the places where data-center space is bought; only these can hold a site."""
    zone: str = ""
    """IANA time zone, for daily shapes in local time."""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Round-trip time between two metros, without the last mile."""

    ms: float
    how: str
    """measured, neighbour (nearest measured pair, corrected), model, or assumed (one metro)."""
    source: str
    neighbours: tuple[str, ...] = ()
    """For `neighbour`: the two metros whose measured round trip was corrected."""


@dataclass(frozen=True, slots=True)
class HourlyShape:
    """A price or carbon intensity over its yearly mean, by season and hour of the day in UTC."""

    key: str
    """The market or grid zone that it was made from; empty where it is flat for want of one."""
    by_season: Mapping[str, tuple[float, ...]]
    """24 values for `dec-feb`, `mar-may`, `jun-aug` and `sep-nov`; over the year their mean is
    1."""
    source: str
    date: str
    grade: Grade
    note: str = ""

    @property
    def by_utc_hour(self) -> tuple[float, ...]:
        """24 values of a mean day of the year."""
        seasons = self.by_season.values()
        return tuple(sum(hour) / len(hour) for hour in zip(*seasons, strict=True))


@dataclass(frozen=True, slots=True)
class MetroPower:
    """What power costs and emits at a metro."""

    metro: str
    price_per_mwh: Figure
    currency: str
    """Of `price_per_mwh`; empty where no price is known."""
    carbon_g_per_kwh: Figure
    carbon_zone: str
    price_shape: HourlyShape
    carbon_shape: HourlyShape


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests of a real service: when each arrived and how long it was."""

    key: str
    arrival_s: NDArray[np.float64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    source: str

    def mean_input(self) -> float:
        """Mean prompt length, tokens."""
        return float(self.input_tokens.mean())

    def mean_output(self) -> float:
        """Mean answer length, tokens."""
        return float(self.output_tokens.mean())


@dataclass(frozen=True, slots=True)
class DailyShape:
    """Demand by hour of the day, mean 1, in the user's local time."""

    key: str
    by_local_hour: tuple[float, ...]
    source: str
    note: str
