"""A front as a page: one HTML file that needs no network, no server and no other file."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from neocloud.planner.pictures.drawing import drawing, swatch
from neocloud.planner.pictures.marks import COLOURS, Place, places
from neocloud.planner.pictures.words import asked, described, label, summed_up
from neocloud.planner.search.front import Front, FrontPoint

_HERE = Path(__file__).parent


def write_page(front: Front, path: Path) -> None:
    """Write the page.

    Raises:
        OSError: nothing can be written there.
    """
    path.write_text(page_of(front), encoding="utf-8")


def page_of(front: Front) -> str:
    """The page as text: the drawing, its controls, and all points as a table."""
    title = escape(f"{front.model}: cost, energy and interactivity")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{_text("page.css")}{_colours()}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="soft">{escape(asked(front))}</p>
</header>
<main>
{_best(front)}
{_controls(front)}
<div class="frame">
{drawing(front)}
<div id="told" hidden></div>
</div>
<p class="soft">Each mark is a way to run the model that no other beats in cost, energy and speed
for each user together; hollow marks miss the objective. Thin lines: what each accelerator reaches
alone. Both axes are logarithmic.</p>
{_table(front)}
<h2>What stands behind it</h2>
<ul>
{_items(summed_up(front))}
</ul>
</main>
<script>
{_text("page.js")}</script>
</body>
</html>
"""


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _colours() -> str:
    light = "".join(f".c{n} {{ color: {one}; }}\n" for n, (one, _) in enumerate(COLOURS))
    dark = "".join(f".c{n} {{ color: {two}; }}\n" for n, (_, two) in enumerate(COLOURS))
    return f"{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"


def _best(front: Front) -> str:
    if not front.cheapest:
        return '<p class="best">Nothing meets the objective.</p>'
    best = front.cheapest[0]
    return (
        f'<p class="best"><b>{best.cost_per_mtok:.3g} {escape(front.currency)} per million '
        f"tokens</b> is the cheapest within the objective: {escape(described(front, best))}; "
        f"{best.tokens_per_s_per_user:.3g} tokens a second for each user, "
        f"{best.joules_per_token:.2g} J a token.</p>"
    )


def _controls(front: Front) -> str:
    boxes = "\n".join(_box(front, place) for place in places(front))
    return f"""<div class="controls" hidden>
<fieldset><legend>Vertical axis</legend>
<label><input type="radio" name="measure" value="cost" checked autocomplete="off"> cost</label>
<label><input type="radio" name="measure" value="energy" autocomplete="off"> energy</label>
</fieldset>
<fieldset><legend>Accelerators</legend>
{boxes}
</fieldset>
</div>"""


def _box(front: Front, place: Place) -> str:
    count = sum(p.place == place.key for p in front.points)
    return (
        f'<label><input type="checkbox" data-place="{escape(place.key)}" checked '
        f'autocomplete="off"> {swatch(place)} {escape(place.label)} ({count})</label>'
    )


def _table(front: Front) -> str:
    heads = (
        "Accelerators", "How it runs", "Tokens/s for each user", "Tokens/s for each accelerator",
        f"TTFT, ms (p{front.percentile:g})", f"TPOT, ms (p{front.percentile:g})",
        f"{front.currency} per Mtok", "of it power", "J per token", "Objective",
    )  # fmt: skip
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    rows = "\n".join(_row(front, number, p) for number, p in enumerate(front.points))
    return f"""<details open>
<summary>All {len(front.points)} points</summary>
<div class="scroll">
<table>
<caption class="soft">By falling interactivity; latencies without the network.</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
</details>"""


def _row(front: Front, number: int, p: FrontPoint) -> str:
    where, _, how = described(front, p).partition(": ")
    cells = (
        label(front, p.place) if p.prefill is not None else where,
        how,
        f"{p.tokens_per_s_per_user:.1f}",
        f"{p.tokens_per_s_per_accelerator:,.0f}",
        f"{p.ttft_ms_at_percentile:,.0f}",
        f"{p.tpot_ms_at_percentile:.1f}",
        f"{p.cost_per_mtok:,.3f}",
        f"{p.power_cost_per_mtok:.4f}",
        f"{p.joules_per_token:.3g}",
        "holds" if p.meets_objective else "missed",
    )
    inside = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr data-i="{number}" data-of="{escape(p.place)}">{inside}</tr>'


def _items(lines: Iterator[str]) -> str:
    return "\n".join(f"<li>{escape(line)}</li>" for line in lines)
