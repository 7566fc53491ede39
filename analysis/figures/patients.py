"""How do patients look one by one: how much each changed, which forms came, what happened when?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch

from analysis.disposition import STATUSES
from analysis.figures.canvas import COLOURS, MARKERS, WIDTH, Figure, figure, months_axis, months_shown, segments, style

SHADES = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#CC79A7", "#222222", "#f0f0f0", "#c9ccd1")
MOST_POINTS = 200  # of one curve; with more patients its quantiles are drawn
MOST_SWIMMERS, MOST_ROWS = 200, 1000  # with more patients every so many of them are drawn, and the caption says so
TICK = 0.4  # half a form's mark, in lines
LEGEND_ROW = 0.25  # inches


def waterfall(
    name: str,
    changes: Mapping[str, "pd.Series[float]"],
    arms: Mapping[str, str],
    *,
    ylabel: str,
    caption: str,
    threshold: float,
    verb: str,
) -> Figure:
    """Changes from baseline of single patients, from the greatest fall to the greatest rise, a panel per arm."""
    with style(name):
        canvas = Canvas(figsize=(WIDTH, 3.6))
        shared = None
        if any(len(each) > MOST_POINTS for each in changes.values()):
            caption = f"{caption} An arm of more than {MOST_POINTS} is drawn as {MOST_POINTS} quantiles."
        for at, (arm, label) in enumerate(arms.items()):
            width = 0.89 / len(arms)
            axes = canvas.add_axes((0.09 + at * width, 0.13, width - 0.03, 0.77), sharey=shared)
            shared = shared or axes
            values = np.sort(changes[arm].to_numpy(float))
            if len(values) > MOST_POINTS:
                values = np.quantile(values, np.linspace(0, 1, MOST_POINTS))
            axes.axhline(0, color="#444444", lw=0.8)
            for line in (-threshold, threshold):
                axes.axhline(line, color="#777777", lw=0.8, linestyle=(0, (4, 3)))
            edges = np.linspace(0, 100, len(values) + 1)
            if len(values):
                axes.fill_between(
                    edges, np.append(values, values[-1]), step="post", color=COLOURS[at % len(COLOURS)], lw=0
                )
            axes.set_title(f"{label} ({len(changes[arm])} patients)", fontsize=10)
            axes.set_xlabel("Share of patients, %")
            axes.set_xlim(0, 100)
            if at == 0:
                axes.set_ylabel(ylabel)
            else:
                axes.tick_params(labelleft=False)
        return figure(canvas, name, caption, verb)


def missingness_map(name: str, statuses: pd.DataFrame, visits: Mapping[str, str], *, caption: str, verb: str) -> Figure:
    """Patient by visit, the reason in colour, sorted by the last visit answered; statuses: words of STATUSES."""
    statuses, caption = _thinned(statuses, MOST_ROWS, caption)
    codes = statuses.apply(lambda column: column.map({word: at for at, word in enumerate(STATUSES)}))
    with style(name):
        canvas = Canvas(figsize=(WIDTH, 4.6))
        axes = canvas.add_axes((0.09, 0.12, 0.62, 0.84))
        shades = ListedColormap(list(SHADES[: len(STATUSES)]))
        norm = BoundaryNorm(np.arange(len(STATUSES) + 1) - 0.5, len(STATUSES))
        axes.imshow(codes.to_numpy(float), aspect="auto", interpolation="none", cmap=shades, norm=norm)
        axes.set_xticks(range(len(visits)), list(visits), rotation=0)
        axes.set_ylabel("Patients, the longest answering first")
        axes.set_xlabel("Visit")
        axes.grid(visible=False)
        _key(axes)
        return figure(canvas, name, caption, verb)


def status_bars(
    name: str, shares: pd.DataFrame, arms: Mapping[str, str], visits: Mapping[str, str], *, caption: str, verb: str
) -> Figure:
    """Of all randomised, the share in each status by visit, a panel per arm; shares: by arm and visit, 0 to 1."""
    with style(name):
        canvas = Canvas(figsize=(WIDTH, 3.9))
        for at, (arm, label) in enumerate(arms.items()):
            width = 0.66 / len(arms)
            axes = canvas.add_axes((0.09 + at * width, 0.15, width - 0.03, 0.76))
            bottom = np.zeros(len(visits))
            for status, shade in zip(STATUSES, SHADES, strict=True):
                heights = np.array([float(shares[status].get((arm, visit), 0.0)) for visit in visits]) * 100
                axes.bar(range(len(visits)), heights, bottom=bottom, color=shade, edgecolor="white", lw=0.3, width=0.9)
                bottom += heights
            axes.set_title(label, fontsize=10)
            axes.set_xticks(range(len(visits)), list(visits), fontsize=8, rotation=90)
            axes.set_ylim(0, 100)
            if at == 0:
                axes.set_ylabel("Of all randomised, %")
            else:
                axes.tick_params(labelleft=False)
        _key(axes)
        return figure(canvas, name, caption, verb)


def swimmer(
    name: str, patients: pd.DataFrame, forms: pd.DataFrame, arms: Mapping[str, str], *, caption: str, verb: str
) -> Figure:
    """A line per patient from randomisation to the end of follow-up, with forms, progression and death on it.

    patients: subject, arm, time (months), died (bool), progressed_at, operated_at (months, NaN = not). forms: subject,
    month of the answer.
    """
    order, caption = _thinned(patients.sort_values(["arm", "time"], kind="stable"), MOST_SWIMMERS, caption)
    order = order.assign(place=np.arange(len(order)))
    with style(name):
        height, rows = max(2.5, min(9.0, 1.4 + 0.034 * len(order))), 1 if len(arms) < 3 else 2
        canvas = Canvas(figsize=(WIDTH, height))
        above = LEGEND_ROW * rows + 0.1
        axes = canvas.add_axes((0.09, 0.6 / height, 0.88, 1 - (0.6 + above) / height))
        for at, (arm, label) in enumerate(arms.items()):
            mine = order[order["arm"] == arm]
            at_end = mine["time"].to_numpy(float)
            x, y = segments(0 * at_end, at_end, mine["place"].to_numpy(float), mine["place"].to_numpy(float))
            axes.plot(x, y, color=COLOURS[at % len(COLOURS)], lw=1.2, label=label)
        place = order.set_index("subject")["place"]
        answered = forms[forms["subject"].isin(order["subject"])]
        month, where = answered["month"].to_numpy(float), answered["subject"].map(place).to_numpy(float)
        axes.plot(*segments(month, month, where - TICK, where + TICK), color="#444444", lw=0.8, label="form")
        for column, words, marker, colour in (
            ("operated_at", "surgery", MARKERS[2], COLOURS[2]),
            ("progressed_at", "progression", MARKERS[3], COLOURS[4]),
        ):
            there = order[order[column].notna()]
            if len(there):
                axes.plot(there[column], there["place"], marker, color=colour, markersize=3.5, label=words)
        dead = order[order["died"]]
        axes.plot(dead["time"], dead["place"], "x", color="#000000", markersize=3.5, label="death")
        months_axis(axes, months_shown(float(order["time"].max())))
        axes.set_ylabel("Patients")
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.set_ylim(-1, len(order))
        columns = -(-(len(arms) + 4) // rows)
        axes.legend(frameon=False, ncols=columns, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9)
        return figure(canvas, name, caption, verb)


def _thinned(rows: pd.DataFrame, most: int, caption: str) -> tuple[pd.DataFrame, str]:
    """Every so many of the rows, at most so many in all, and the caption that says it."""
    every = -(-len(rows) // most)
    if every <= 1:
        return rows, caption
    return rows.iloc[::every], f"{caption} Of {len(rows)} patients every {every}th in this order is drawn."


def _key(axes: object) -> None:
    patches = [
        Patch(facecolor=shade, edgecolor="#999999", label=word) for word, shade in zip(STATUSES, SHADES, strict=True)
    ]
    axes.legend(handles=patches, frameon=False, loc="upper left", bbox_to_anchor=(1.02, 1.0), fontsize=9)  # type: ignore[attr-defined]
