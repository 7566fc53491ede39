"""What was a trial on an earlier day: what had happened by then, what had been answered by then?"""

from dataclasses import replace
from datetime import date

import pandas as pd

from analysis.columns import BadTrial, Fault
from analysis.manifest import MANIFEST
from analysis.trial import Trial

EVENTS = ("surgery_on", "progression_on", "died_on", "withdrawn_on")
STARTED = ("completed", "closed_unfinished", "started")


def cut(trial: Trial, on: date) -> Trial:
    """The trial as it stood at the end of a day: later patients, events, answers and visits are taken out.

    Who was later known alive or dead was alive on that day. A form submitted later was open. Raises BadTrial when the
    data were cut before that day.
    """
    if trial.data_cut is not None and on > trial.data_cut:
        what = f"the data were cut on {trial.data_cut}, before {on}"
        raise BadTrial([Fault(MANIFEST, (), "data_cut", what, "Name a day on or before it, or export again.")])
    day = pd.Timestamp(on)
    subjects = _subjects(trial.subjects, day)
    answers = _answers(trial, day)
    forms = _forms(trial, day)
    known = subjects["subject"]
    events = trial.adverse_events
    return replace(
        trial,
        subjects=subjects,
        forms=forms[forms["subject"].isin(known)].reset_index(drop=True),
        answers=answers[answers["subject"].isin(known)].reset_index(drop=True),
        adverse_events=None if events is None else _events(events[events["subject"].isin(known)], day),
        data_cut=on,
    )


def _subjects(subjects: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    entered = subjects["consented_on"].fillna(subjects["randomised_on"])
    kept = subjects[~(entered > day)].copy()
    later = kept["randomised_on"] > day
    kept.loc[later, "arm"] = pd.NA
    kept.loc[later, "randomised_on"] = pd.NaT
    alive_then = (kept["last_alive_on"] > day) | (kept["died_on"] > day)
    kept.loc[alive_then, "last_alive_on"] = day
    for column in EVENTS:
        kept[column] = kept[column].mask(kept[column] > day)
    return kept.reset_index(drop=True)


def _local_day(instants: "pd.Series[pd.Timestamp]", zone: str) -> "pd.Series[pd.Timestamp]":
    return instants.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()


def _answers(trial: Trial, day: pd.Timestamp) -> pd.DataFrame:
    """Answers until that day; what has no instant stands and falls with its form's due day."""
    said_on = _local_day(trial.answers["answered_at"], trial.plan.trial.zone)
    form = ["subject", "visit", "instrument"]
    due = trial.answers[form].merge(trial.forms[[*form, "due_on"]], on=form, how="left")["due_on"]
    return trial.answers[~(said_on.fillna(due.set_axis(said_on.index)) > day)]


def _forms(trial: Trial, day: pd.Timestamp) -> pd.DataFrame:
    forms = trial.forms.copy()
    completed_later = _local_day(forms["completed_at"], trial.plan.trial.zone) > day
    forms["completed_at"] = forms["completed_at"].mask(completed_later)
    still_open = completed_later | (forms["closes_on"] >= day) & (forms["state"] != "completed")
    forms.loc[still_open, "state"] = "open"
    forms.loc[still_open, "reason"] = None
    forms.loc[forms["due_on"] > day, "state"] = "not_due"
    return forms


def _events(events: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    kept = events[~(events["started_on"] > day)].copy()
    kept["ended_on"] = kept["ended_on"].mask(kept["ended_on"] > day)
    return kept.reset_index(drop=True)
