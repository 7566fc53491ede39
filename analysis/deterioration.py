"""When does a patient's score become worse, by which definition of worse?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
import pandas as pd

from analysis.results import BadInput, require

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


@dataclass(frozen=True)
class _Ending:
    day: float
    cause: str
    event: bool = False
    competing: bool = False
    on_last_form: bool = False


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
    randomised = subjects[subjects["randomised_on"].notna()]
    scored = scores[scores[definition.scale].notna()].sort_values("answered_on", kind="stable")
    histories = dict(list(scored.groupby("subject", sort=False)))
    rows: list[tuple[Any, _Ending]] = []
    excluded = 0
    for patient in randomised.to_dict("records"):
        history = histories.get(patient["subject"], scored[:0])
        if history["baseline"].any() or (definition.no_baseline == "first score" and len(history)):
            rows.append((patient["subject"], _followed(patient, history, definition)))
        elif definition.no_baseline == "censored at 0":
            rows.append((patient["subject"], _Ending(0.0, NO_BASELINE)))
        else:
            excluded += 1
    result = _result(rows).astype({"subject": randomised["subject"].dtype})
    probabilities = definition.death != "ignored"
    result.attrs.update(excluded={NO_BASELINE: excluded}, definition=str(definition), probabilities=probabilities)
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


def worsened_at(values: Sequence[float], definition: Definition) -> int | None:
    """Which of the values, the first being the baseline, is the deterioration; None = none. Higher is better here."""
    limit = definition.threshold - SAME
    for at in range(1, len(values)):
        references = {"baseline": values[0], "best": max(values[:at]), "previous": values[at - 1]}
        reference, later = references[definition.reference], values[at + 1 :]
        if reference - values[at] < limit:
            continue
        settled = {
            "first": True,
            "confirmed": any(reference - value >= limit for value in later[:1]),
            "definitive": all(reference - value >= limit for value in later),
            "until definitive": not any(value - values[at] >= limit for value in later),
            "without recovery": not any(value - reference >= limit for value in later),
        }
        if settled[definition.kind]:
            return at
    return None


def _followed(patient: dict[Any, Any], history: pd.DataFrame, definition: Definition) -> _Ending:
    """How the time of a patient with a score ended: what came first, a death on the day of a form before the form."""
    baseline = history[history["baseline"]]
    baseline = baseline if len(baseline) else history[:1]
    start = patient["randomised_on"] if definition.clock == "randomisation" else baseline["answered_on"].iloc[0]
    follow_up = history[~history["baseline"]]
    days = (follow_up["answered_on"] - start).dt.days.to_numpy()
    after = days > 0
    sign = 1 if definition.higher_is_better else -1
    days, values = days[after], sign * follow_up[definition.scale].to_numpy(float)[after]
    first = [sign * float(baseline[definition.scale].iloc[0])] if history["baseline"].any() else []
    worse = worsened_at([*first, *values.tolist()], definition)
    worse = worse if first or worse is None else worse + 1
    endings = list(_ended(patient, start, days, definition))
    if worse is not None:
        alone = definition.kind != "first" and worse == len(days)
        endings.append(_Ending(float(days[worse - 1]), WORSENING, event=True, on_last_form=alone))
    if endings:
        return min(endings, key=lambda ending: ending.day)
    return _Ending(float(days[-1]), LAST_FORM) if len(days) else _Ending(1.0, NO_FOLLOW_UP)


def _ended(patient: dict[Any, Any], start: pd.Timestamp, days: Any, definition: Definition) -> Sequence[_Ending]:
    """Death and progression, where the definition counts them."""
    endings = []
    for cause, rule, column in (
        (DEATH, definition.death, "died_on"),
        (PROGRESSION, definition.progression, "progression_on"),
    ):
        if rule == "ignored" or pd.isna(patient[column]):
            continue
        day = float((patient[column] - start).days)
        last = float(max((each for each in days if each <= day), default=0))
        if definition.within_days is None or day - last <= definition.within_days:
            endings.append(_Ending(max(day, 0.0), cause, event=rule == "event", competing=rule == "competing"))
    return endings


def _result(rows: Sequence[tuple[Any, _Ending]]) -> pd.DataFrame:
    endings = [ending for _, ending in rows]
    return pd.DataFrame(
        {
            "subject": [subject for subject, _ in rows],
            "time": np.array([ending.day for ending in endings], dtype=np.float64) / DAYS_A_MONTH,
            "event": np.array([ending.event for ending in endings], dtype=np.bool_),
            "cause": np.array([ending.cause for ending in endings], dtype=object),
            "competing": np.array([ending.competing for ending in endings], dtype=np.bool_),
            "on_last_form": np.array([ending.on_last_form for ending in endings], dtype=np.bool_),
        }
    )
