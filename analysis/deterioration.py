"""When does a patient's score become worse, by which definition of worse?"""

from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.results import BadInput, require, rows_of

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
DAYS_A_MONTH = 30.4375
WORSENING, DEATH, LAST_FORM, NO_FOLLOW_UP = "worsening", "death", "last form", "no follow-up form"
PROGRESSION = "progression"
CAUSES = (WORSENING, DEATH, LAST_FORM, NO_FOLLOW_UP)
NO_BASELINE = "no baseline score"
SAME = 1e-9  # scores are thirds and sixths; a fall of exactly the threshold counts

Kind = Literal["first", "confirmed", "definitive", "until definitive", "without recovery"]
Reference = Literal["baseline", "best", "previous"]
Rule = Literal["event", "competing", "ignored"]
Missing = Literal["excluded", "censored at 0", "first score"]
Clock = Literal["randomisation", "baseline form"]
IMPROVED, STABLE, WORSENED, UNKNOWN = "improved", "stable", "worsened", "unknown"


@dataclass(frozen=True)
class Definition:
    """What counts as deterioration of a scale, and where the clock starts and stops. Prints as one sentence.

    label: the scale's name. threshold: points. higher_is_better: False turns the scale round.
    kind: first = the first worse form; confirmed = the next form is worse, too; definitive = every later form is;
    until definitive = no later form is better than the worse one by the threshold; without recovery = no later form is
    better than the reference by it. reference: what a form is compared with: the baseline, the best score before it,
    or the previous one. death, progression: event = it is one, competing = it ends the time as another cause, ignored =
    it plays no part; an ignored death leaves hazards alone to be read, for no probability follows from them.
    within_days: a death or progression counts only if it is this near to the last form before it. no_baseline:
    patients without a baseline score are excluded and counted, censored at 0, or compared from their first score on.
    clock: where time is 0.
    Raises BadInput.
    """

    scale: str
    label: str
    threshold: float
    higher_is_better: bool
    kind: Kind = "first"
    reference: Reference = "baseline"
    death: Rule = "event"
    progression: Rule = "ignored"
    within_days: int | None = None
    no_baseline: Missing = "excluded"
    clock: Clock = "randomisation"

    def __post_init__(self) -> None:
        if not self.threshold > 0:
            raise BadInput(f"threshold is {self.threshold:g}.\n  Give points above 0.")
        hints = get_type_hints(Definition)
        for name in ("kind", "reference", "death", "progression", "no_baseline", "clock"):
            if (given := getattr(self, name)) not in (allowed := get_args(hints[name])):
                raise BadInput(f'{name} is "{given}".\n  Choose one of: {", ".join(allowed)}.')

    def __str__(self) -> str:
        return f"Time from {self._from} to {self._to}{self._or}; {self._censored}; {self._without}."

    @property
    def _from(self) -> str:
        return "randomisation" if self.clock == "randomisation" else "the baseline form"

    @property
    def _to(self) -> str:
        direction = "lower" if self.higher_is_better else "higher"
        than = {"baseline": "at baseline", "best": "the best one before", "previous": "at the previous form"}
        by = f"{self.threshold:g} points"
        also = {
            "first": "",
            "confirmed": f", and at the next form still at least {by} {direction}",
            "definitive": f", and at every later form still at least {by} {direction}",
            "until definitive": f", after which no form is better than it by {by} or more",
            "without recovery": f", after which no form is better than the former by {by} or more",
        }
        first = f"the first form whose {self.label} ({self.scale}) is at least {by} {direction} than"
        return f"{first} {than[self.reference]}{also[self.kind]}"

    @property
    def _or(self) -> str:
        names = {"death": "death from any cause", "progression": "progression"}
        near = "" if self.within_days is None else f" within {self.within_days} days of the last form"
        events = [names[each] + near for each in names if getattr(self, each) == "event"]
        return f", or to {' or '.join(events)}, whichever is first" if events else ""

    @property
    def _censored(self) -> str:
        clauses = [
            f"{each} before that competes" for each in ("death", "progression") if getattr(self, each) == "competing"
        ]
        if self.death == "ignored":
            clauses.append("death is ignored, so that hazards alone may be read and no probability")
        clauses.append("patients without either are censored at their last form with a score")
        return "; ".join(clauses) + ", on day 1 when there is none after baseline"

    @property
    def _without(self) -> str:
        fates = {
            "excluded": "left out and counted",
            "censored at 0": "censored at 0",
            "first score": "compared with their first score in its place",
        }
        return f"patients without a baseline score are {fates[self.no_baseline]}"


def time_to(scores: pd.DataFrame, subjects: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """Time to deterioration of every randomised subject by a definition.

    scores: one row a form: subject, baseline (bool), answered_on and the definition's scale, NaN = no score; forms
    answered on or before the day the clock starts are no follow-up. subjects: subject, randomised_on, died_on, and
    progression_on unless it is ignored.
    Result: subject, time (months of 30.4375 days), event (bool), cause (worsening, death, progression, or where the
    clock stopped without: last form, no follow-up form, no baseline score), competing (bool: death or progression ended
    it as another cause), on_last_form (bool: a deterioration that later forms should confirm, and there are none).
    `.attrs`: excluded counts those without a baseline score, definition is the sentence, probabilities is False where
    only hazards may be read. Raises BadInput.
    """
    require(scores, ["subject", "baseline", "answered_on", definition.scale], "scores")
    needed = ["subject", "randomised_on", "died_on"]
    require(subjects, needed + ["progression_on"] * (definition.progression != "ignored"), "subjects")
    randomised = subjects[subjects["randomised_on"].notna()].reset_index(drop=True)
    if (twice := randomised["subject"].duplicated()).any():
        raise BadInput(f"subjects has a subject twice in rows {rows_of(twice)}.\n  Keep one row a patient.")
    histories = _Histories.of(scores, randomised, definition)
    result = _ended(histories, randomised, definition)
    everybody = np.ones(len(randomised), dtype=np.bool_)
    known: dict[Missing, Mask] = {
        "excluded": histories.has_baseline,
        "censored at 0": everybody,
        "first score": histories.first_seen,
    }
    kept = known[definition.no_baseline]
    excluded = {NO_BASELINE: int((~kept).sum())}
    result = result.loc[kept].reset_index(drop=True)
    result.attrs.update(excluded=excluded, definition=str(definition), probabilities=definition.death != "ignored")
    return result


def responders(
    scores: pd.DataFrame, subjects: pd.DataFrame, definition: Definition, *, visit: str, by_day: int
) -> pd.DataFrame:
    """Who is improved, stable or worsened at a visit by the threshold from baseline; the dead are worsened.

    scores: as in time_to, and visit. subjects: subject, randomised_on, died_on. by_day: days from randomisation; who
    has no score at the visit and died until then is worsened, who lived is unknown.
    Result: subject, response: improved, stable, worsened, unknown; all randomised subjects. Raises BadInput.
    """
    require(scores, ["subject", "visit", "baseline", definition.scale], "scores")
    require(subjects, ["subject", "randomised_on", "died_on"], "subjects")
    randomised = subjects[subjects["randomised_on"].notna()].set_index("subject")
    scored = scores[scores[definition.scale].notna()].drop_duplicates(["subject", "visit"])
    baseline = scored[scored["baseline"]].set_index("subject")[definition.scale].reindex(randomised.index)
    at_visit = scored[scored["visit"] == visit].set_index("subject")[definition.scale].reindex(randomised.index)
    gain = (at_visit - baseline) * (1 if definition.higher_is_better else -1)
    died = (randomised["died_on"] - randomised["randomised_on"]).dt.days <= by_day
    limit = definition.threshold - SAME
    endings = [gain <= -limit, gain >= limit, gain.notna(), at_visit.isna() & died]
    response = np.select(endings, [WORSENED, IMPROVED, STABLE, WORSENED], UNKNOWN)
    return pd.DataFrame({"subject": randomised.index, "response": response})


@dataclass(frozen=True, eq=False)
class _Histories:
    """n randomised patients, at most k scores after the clock starts, NaN where a patient has fewer.

    start: (n,) when it does. first: (n,) the score at baseline, or where the definition has it so the first of all.
    days, values: (n, k) in the order of answering, after the start; values and first turned so that higher is better.
    """

    start: "pd.Series[pd.Timestamp]"
    has_baseline: Mask
    first_seen: Mask
    first: Numbers
    days: Numbers
    values: Numbers

    @classmethod
    def of(cls, scores: pd.DataFrame, randomised: pd.DataFrame, definition: Definition) -> "_Histories":
        scored = scores.loc[scores[definition.scale].notna(), ["subject", "baseline", "answered_on", definition.scale]]
        who = pd.Index(randomised["subject"]).get_indexer(scored["subject"])
        scored = scored.assign(who=who, baseline=scored["baseline"].astype(bool))[who >= 0]
        scored = scored.sort_values("answered_on", kind="stable")
        before = scored[scored["baseline"]].drop_duplicates("who").set_index("who")
        has_baseline = np.isin(np.arange(len(randomised)), before.index)
        rest = scored[~scored["who"].isin(before.index)].drop_duplicates("who").set_index("who")
        reference = pd.concat([before, rest]).reindex(range(len(randomised)))
        start = randomised["randomised_on"] if definition.clock == "randomisation" else reference["answered_on"]
        later = scored[~scored["baseline"]]
        day = (later["answered_on"] - start.reindex(later["who"]).set_axis(later.index)).dt.days
        later, day = later[day > 0], day[day > 0]
        at = later.groupby("who").cumcount().to_numpy()
        days = np.full((len(randomised), int(at.max(initial=-1)) + 1), np.nan)
        values, sign = days.copy(), 1 if definition.higher_is_better else -1
        days[later["who"], at], values[later["who"], at] = day, sign * later[definition.scale].to_numpy(float)
        first = sign * reference[definition.scale].to_numpy(float)
        return cls(start, has_baseline, np.isfinite(first), first, days, values)

    @property
    def forms(self) -> "NDArray[np.intp]":
        """(n,) how many scores each patient has after the start."""
        return np.asarray(np.isfinite(self.days).sum(axis=1))

    def day(self, at: "NDArray[np.intp]") -> Numbers:
        """(n,) the day of each patient's form at this place; infinite where there is none (-1)."""
        days = np.column_stack([self.days, np.full(len(self.days), np.inf)])
        return np.asarray(days[np.arange(len(days)), at])


def _worsened_at(first: Numbers, values: Numbers, definition: Definition) -> "NDArray[np.intp]":
    """(n,) which of (n, k) values is the deterioration, -1 = none. Higher is better here, NaN = no more forms."""
    limit = definition.threshold - SAME
    so_far = np.column_stack([first, values])
    before = so_far[:, :-1]
    references = {"baseline": so_far[:, :1], "best": np.maximum.accumulate(before, axis=1), "previous": before}
    reference = references[definition.reference]
    later = np.column_stack([values[:, 1:], np.full(len(values), np.nan)])
    best_later = np.fmax.accumulate(later[:, ::-1], axis=1)[:, ::-1]
    settled = {
        "first": np.ones_like(values, dtype=bool),
        "confirmed": reference - later >= limit,
        "definitive": ~(reference - best_later < limit),
        "until definitive": ~(best_later - values >= limit),
        "without recovery": ~(best_later - reference >= limit),
    }
    worse = (reference - values >= limit) & settled[definition.kind]
    return np.where(worse.any(axis=1), np.argmax(worse, axis=1) if worse.size else 0, -1)


def _ended(histories: _Histories, randomised: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """How each patient's time ended: what came first, a death on the day of a form before the form."""
    worse, forms = _worsened_at(histories.first, histories.values, definition), histories.forms
    ends = {
        DEATH: _counted(histories, randomised, "died_on", definition.death, definition.within_days),
        PROGRESSION: _counted(histories, randomised, "progression_on", definition.progression, definition.within_days),
        WORSENING: histories.day(worse),
    }
    rules = {DEATH: definition.death, PROGRESSION: definition.progression, WORSENING: "event"}
    first = np.argmin(np.array(list(ends.values())), axis=0)
    day = np.min(np.array(list(ends.values())), axis=0)
    without = ~np.isfinite(day)
    stop, cause = np.where(forms > 0, histories.day(forms - 1), 1.0), np.where(forms > 0, LAST_FORM, NO_FOLLOW_UP)
    if definition.no_baseline == "censored at 0":
        first_less = ~histories.has_baseline
        without, stop = without | first_less, np.where(first_less, 0.0, stop)
        cause = np.where(first_less, NO_BASELINE, cause)
    event, competing = (
        np.array([rule == word for rule in rules.values()])[first] & ~without for word in ("event", "competing")
    )
    last = (worse == forms - 1) & (definition.kind != "first")
    return pd.DataFrame(
        {
            "subject": randomised["subject"],
            "time": np.where(without, stop, day) / DAYS_A_MONTH,
            "event": event,
            "cause": np.where(without, cause, np.array(list(ends), dtype=object)[first]).astype(object),
            "competing": competing,
            "on_last_form": last & ~without & (first == list(ends).index(WORSENING)),
        }
    )


def _counted(
    histories: _Histories, randomised: pd.DataFrame, column: str, rule: Rule, within_days: int | None
) -> Numbers:
    """(n,) the day of a death or progression, infinite where there is none or it does not count."""
    if rule == "ignored":
        return np.full(len(randomised), np.inf)
    day = (randomised[column] - histories.start).dt.days.to_numpy(float)
    if within_days is not None:
        earlier = np.where(histories.days <= day[:, None], histories.days, 0.0)
        day = np.where(day - earlier.max(axis=1, initial=0.0) <= within_days, day, np.nan)
    return np.where(np.isnan(day), np.inf, np.maximum(day, 0.0))
