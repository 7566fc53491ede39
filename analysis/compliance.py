"""How many forms were expected, how many came, and how complete, by arm and visit?"""

from typing import Protocol

import pandas as pd

CLOSED = ("completed", "closed_unfinished", "missed", "excused")  # a window before the system was nobody's to answer
ANSWERED = "answered"
COUNTS = ["randomised", "expected", "received", "complete", "unfinished", "unexpected"]


class Tables(Protocol):
    """The tables of a trial."""

    @property
    def subjects(self) -> pd.DataFrame: ...
    @property
    def forms(self) -> pd.DataFrame: ...
    @property
    def answers(self) -> pd.DataFrame: ...


def rates(trial: Tables) -> pd.DataFrame:
    """Completion by instrument, arm and visit, of the randomised.

    Index: instrument, arm, visit. Columns, counts of forms: randomised (all in the arm: the fixed denominator),
    expected (said so by the schedule, and the window is over or the form submitted: the variable denominator),
    received (of the expected: at least one answer), complete (submitted), unfinished (received - complete), unexpected
    (received though not expected, in no rate); and received_per_expected, received_per_randomised (0 to 1, NaN = of
    none). Forms that can still be answered, and those whose window closed before the patient was in the system, count
    nowhere; nothing is expected after death or withdrawal.
    """
    randomised = trial.subjects[trial.subjects["randomised_on"].notna()]
    key = ["subject", "visit", "instrument"]
    forms = trial.forms.merge(randomised[["subject", "arm"]], on="subject")
    said = trial.answers["value"].notna() | (trial.answers["state"] == ANSWERED)  # words have no value
    answered = trial.answers.loc[said, key].drop_duplicates().assign(answered=True)
    forms = forms.merge(answered, on=key, how="left")
    has_answer, closed = forms["answered"].notna(), forms["state"].isin(CLOSED)
    expected = forms["expected"].astype(bool) & closed
    received = expected & has_answer
    counted = pd.DataFrame(
        {
            "expected": expected,
            "received": received,
            "complete": received & (forms["state"] == "completed"),
            "unfinished": received & (forms["state"] != "completed"),
            "unexpected": closed & ~expected & has_answer,
        }
    )
    by = [forms["instrument"], forms["arm"], forms["visit"]]
    table = counted.groupby(by).sum().astype(int)
    sizes = randomised["arm"].value_counts()
    table.insert(0, "randomised", sizes.reindex(table.index.get_level_values("arm")).to_numpy(dtype=int))
    table["received_per_expected"] = table["received"] / table["expected"].where(table["expected"] > 0)
    table["received_per_randomised"] = table["received"] / table["randomised"]
    return table
