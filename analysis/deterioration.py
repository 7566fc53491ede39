"""When does a patient's score first become worse, or she die?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

DAYS_A_MONTH = 30.4375
WORSENING, DEATH, LAST_FORM, NO_FOLLOW_UP = "worsening", "death", "last form", "no follow-up form"
CAUSES = (WORSENING, DEATH, LAST_FORM, NO_FOLLOW_UP)
NO_BASELINE = "no baseline score"
SAME = 1e-9  # scores are thirds and sixths; a fall of exactly the threshold counts


@dataclass(frozen=True)
class Definition:
    """Time to first worsening of a scale by at least `threshold` points from baseline, or death. Prints as a sentence.

    label: the scale's name. higher_is_better: False turns the scale round.
    """

    scale: str
    label: str
    threshold: float
    higher_is_better: bool

    def __str__(self) -> str:
        direction = "lower" if self.higher_is_better else "higher"
        return (
            f"Time from randomisation to the first form whose {self.label} ({self.scale}) is at least "
            f"{self.threshold:g} points {direction} than at baseline, or to death from any cause, whichever is first; "
            "patients without either are censored at their last form with a score, on day 1 when there is none after "
            "baseline; patients without a baseline score are left out and counted."
        )


def time_to(scores: pd.DataFrame, subjects: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """Time to deterioration or death of every randomised subject with a baseline score, clock from randomisation.

    scores: one row a form: subject, baseline (bool), answered_on and the definition's scale, NaN = no score; forms
    answered on or before the day of randomisation are no follow-up. subjects: subject, randomised_on, died_on.
    Result: subject, time (months of 30.4375 days), event (bool), cause: worsening, death, or where the clock stopped
    without either: last form, no follow-up form. `.attrs["excluded"]` counts those without a baseline score.
    """
    scored = scores[scores[definition.scale].notna()]
    baseline = scored[scored["baseline"]].set_index("subject")[definition.scale]
    randomised = subjects[subjects["randomised_on"].notna()].set_index("subject")
    kept = randomised[randomised.index.isin(baseline.index)]
    follow_up = scored[~scored["baseline"] & scored["subject"].isin(kept.index)]
    day = (follow_up["answered_on"] - follow_up["subject"].map(kept["randomised_on"])).dt.days
    follow_up = follow_up.assign(day=day)[day > 0]
    sign = 1 if definition.higher_is_better else -1
    fall = sign * (follow_up["subject"].map(baseline) - follow_up[definition.scale])
    worse = follow_up[fall >= definition.threshold - SAME].groupby("subject")["day"].min().reindex(kept.index)
    death = (kept["died_on"] - kept["randomised_on"]).dt.days
    last = follow_up.groupby("subject")["day"].max().reindex(kept.index)
    worsened = worse.notna() & ~(death <= worse)  # a death on the day of the worse form is the event
    endings = [worsened, ~worsened & death.notna(), ~worsened & death.isna() & last.notna()]
    days = np.select(endings, [worse, death, last], 1.0)
    cause = np.select(endings, [WORSENING, DEATH, LAST_FORM], NO_FOLLOW_UP)
    event = np.isin(cause, (WORSENING, DEATH))
    result = pd.DataFrame({"subject": kept.index, "time": days / DAYS_A_MONTH, "event": event, "cause": cause})
    result.attrs["excluded"] = {NO_BASELINE: len(randomised) - len(kept)}
    return result
