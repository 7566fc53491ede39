"""Which time, from when, ended by what? Times to event of the randomised, in months of 30.4375 days."""

import pandas as pd

from analysis.deterioration import DAYS_A_MONTH


def overall_survival(subjects: pd.DataFrame) -> pd.DataFrame:
    """Time from randomisation to death from any cause; who is not known dead is censored when last known alive.

    subjects: as in a trial, randomised ones only. Result: same index; time (months), event (bool).
    """
    event = subjects["died_on"].notna()
    ended_on = subjects["died_on"].fillna(subjects["last_alive_on"])
    return pd.DataFrame({"time": _months(subjects, ended_on), "event": event})


def progression_free_survival(subjects: pd.DataFrame) -> pd.DataFrame:
    """Time from randomisation to progression or death, whichever is first; else censored when last known alive.

    subjects: as in a trial, randomised ones only. Result: same index; time (months), event (bool).
    """
    event = subjects["progression_on"].notna() | subjects["died_on"].notna()
    ended_on = subjects["progression_on"].fillna(subjects["died_on"]).fillna(subjects["last_alive_on"])
    return pd.DataFrame({"time": _months(subjects, ended_on), "event": event})


def _months(subjects: pd.DataFrame, ended_on: "pd.Series[pd.Timestamp]") -> "pd.Series[float]":
    return (ended_on - subjects["randomised_on"]).dt.days / DAYS_A_MONTH


FEW = "strata with few events"


def pooled(strata: pd.DataFrame, event: "pd.Series[bool]", fewest: int) -> "pd.Series[str]":
    """One label a patient for the strata taken together; those with fewer events than that become one stratum.

    strata: one column each, text. event: same rows, bool. Declared before anything is seen, and by events of both arms.
    """
    words = strata.astype(str).to_numpy().tolist()
    label = pd.Series([" / ".join(row) for row in words], strata.index, dtype=object)
    events = event.astype(int).groupby(label).transform("sum")
    return label.where(events >= fewest, FEW)
