"""How do curves of time to an event look: survival, and the incidence of one of several events?"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.competing import CumulativeIncidence
from analysis.figures.canvas import COLOURS, DASHES, Figure, figure, framed, months_axis, segments, style, write_below
from analysis.survival import KaplanMeier

PERCENTS = [f"{share} %" for share in range(0, 101, 20)]
MOST_TIMES = 250  # of one curve
TICK = 0.011  # half the mark of a censored patient, of the height


def survival_curves(
    name: str,
    curves: KaplanMeier,
    arms: Mapping[str, str],
    *,
    ylabel: str,
    caption: str,
    months: Sequence[float],
    verb: str,
) -> Figure:
    """Kaplan-Meier curves with 95 % bands, and under the axis the numbers at risk.

    arms: code: label, in the order of colours; an arm without patients has no curve. months: ticks of the axis.
    """
    with style(name):
        canvas, axes = framed(len(arms))
        for at, (arm, label) in enumerate(arms.items()):
            if arm in curves.curves:
                _draw_curve(axes, _thinned(curves.curves[arm]), label, at)
        axes.set_ylim(0, 1.02)
        axes.set_yticks(np.linspace(0, 1, 6), [f"{share} %" for share in range(0, 101, 20)])
        axes.set_ylabel(ylabel)
        months_axis(axes, months)
        axes.legend(frameon=False, loc="lower left")
        at_risk = curves.at_risk(months).reindex(list(arms), fill_value=0).to_numpy().tolist()
        rows = dict(zip(arms.values(), at_risk, strict=True))
        write_below(axes, "Number at risk", rows, months)
        return figure(canvas, name, _said(caption, curves.curves.values()), verb)


def incidence_curves(
    name: str,
    found: CumulativeIncidence,
    arms: Mapping[str, str],
    cause: str,
    *,
    ylabel: str,
    caption: str,
    months: Sequence[float],
    verb: str,
) -> Figure:
    """Cumulative incidence of a cause with 95 % bands, and under the axis how many were still free of every event.

    arms: code: label, in the order of colours. months: ticks of the axis.
    """
    with style(name):
        canvas, axes = framed(len(arms))
        rows = {}
        for at, (arm, label) in enumerate(arms.items()):
            curve = found.curves.get((arm, cause))
            if curve is None:
                rows[label] = [0] * len(months)
                continue
            rows[label] = [_free(curve, month) for month in months]
            drawn, colour, dashes = _thinned(curve), COLOURS[at % len(COLOURS)], DASHES[at % len(DASHES)]
            axes.step(drawn["time"], drawn["incidence"], where="post", color=colour, linestyle=dashes, label=label)
            band = drawn[drawn["lower"].notna()]
            axes.fill_between(band["time"], band["lower"], band["upper"], step="post", color=colour, alpha=0.15, lw=0)
        axes.set_ylim(0, 1.02)
        axes.set_yticks(np.linspace(0, 1, 6), PERCENTS)
        axes.set_ylabel(ylabel)
        months_axis(axes, months)
        axes.legend(frameon=False, loc="upper left")
        write_below(axes, "Still free of every event", rows, months)
        return figure(canvas, name, _said(caption, found.curves.values()), verb)


def _thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """Every so many of the times, the first and the last among them, at most MOST_TIMES in all."""
    if len(curve) <= MOST_TIMES:
        return curve
    return curve.iloc[np.linspace(0, len(curve) - 1, MOST_TIMES).round().astype(int)]


def _said(caption: str, curves: Iterable[pd.DataFrame]) -> str:
    if all(len(curve) <= MOST_TIMES for curve in curves):
        return caption
    return f"{caption} Of a curve with more times {MOST_TIMES} are drawn, evenly chosen."


def _free(curve: pd.DataFrame, month: float) -> int:
    later = curve[curve["time"] >= month]
    return int(later["at_risk"].iloc[0]) if len(later) else 0


def _draw_curve(axes: Axes, curve: pd.DataFrame, label: str, at: int) -> None:
    colour, time = COLOURS[at % len(COLOURS)], curve["time"].to_numpy(float)
    survival = curve["survival"].to_numpy(float)
    start = time[0] > 0
    x, y = (np.concatenate([[0.0], time]), np.concatenate([[1.0], survival])) if start else (time, survival)
    axes.step(x, y, where="post", color=colour, linestyle=DASHES[at % len(DASHES)], label=label)
    bounded = curve[curve["lower"].notna()]
    axes.fill_between(bounded["time"], bounded["lower"], bounded["upper"], step="post", color=colour, alpha=0.15, lw=0)
    left = curve[curve["censored"] > 0]
    at_time, at_height = left["time"].to_numpy(float), left["survival"].to_numpy(float)
    axes.plot(*segments(at_time, at_time, at_height - TICK, at_height + TICK), lw=1, color=colour, alpha=0.7)
