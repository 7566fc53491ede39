"""Do the tables of a trial folder agree with each other, with the plan, the instruments and the calendar?"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pandas as pd

from analysis.columns import Fault, rows_where
from analysis.plan import TrialPlan
from questionnaires.definition import Instrument

FORM_KEY = ["subject", "visit", "instrument"]
ANSWER_KEY = [*FORM_KEY, "item"]


def disagreements(
    subjects: pd.DataFrame,
    forms: pd.DataFrame,
    answers: pd.DataFrame,
    plan: TrialPlan,
    instruments: Mapping[str, Instrument],
    data_cut: date | None,
) -> list[Fault]:
    """Every place where typed tables contradict each other. instruments: those that could be loaded, by id."""
    return [
        *_doubled(subjects, ["subject"], "subjects.csv"),
        *_doubled(forms, FORM_KEY, "forms.csv"),
        *_doubled(answers, ANSWER_KEY, "answers.csv"),
        *_strangers(subjects, forms, answers),
        *_unknown_words(subjects, forms, plan, instruments),
        *_dates(subjects, data_cut),
        *_answers(answers, instruments),
    ]


def strangers(subjects: pd.DataFrame, optional: Mapping[str, pd.DataFrame]) -> Iterator[Fault]:
    """Rows of the optional tables, by name, whose subject is none; and covariates given twice."""
    for name, table in optional.items():
        unknown = ~table["subject"].isin(subjects["subject"])
        if unknown.any():
            yield Fault(name, rows_where(unknown), "subject", "no such subject", "Add it to the subjects.")
    if "covariates" in optional:
        yield from _doubled(optional["covariates"], ["subject"], "covariates")


def _doubled(table: pd.DataFrame, key: list[str], file: str) -> Iterator[Fault]:
    again = table.duplicated(key)
    if again.any():
        yield Fault(file, rows_where(again), None, f"the same {', '.join(key)} stands above", "Keep one of them.")


def _strangers(subjects: pd.DataFrame, forms: pd.DataFrame, answers: pd.DataFrame) -> Iterator[Fault]:
    unknown = ~forms["subject"].isin(subjects["subject"])
    if unknown.any():
        yield Fault("forms.csv", rows_where(unknown), "subject", "no such subject", "Add it to subjects.csv.")
    asked = forms[FORM_KEY].drop_duplicates().assign(asked=True)
    loose = answers[FORM_KEY].merge(asked, on=FORM_KEY, how="left")["asked"].isna()
    if loose.any():
        cure = "Add the form (subject, visit, instrument) to forms.csv."
        yield Fault("answers.csv", rows_where(loose), None, "these answers belong to no form", cure)


def _unknown_words(
    subjects: pd.DataFrame, forms: pd.DataFrame, plan: TrialPlan, instruments: Mapping[str, Instrument]
) -> Iterator[Fault]:
    """Codes that the plan does not have. Both are known only when the plan is, so no column can declare them."""
    known = [("subjects.csv", subjects, "arm", "arm", list(plan.arms))]
    known += [("subjects.csv", subjects, code, "level", list(stratum.levels)) for code, stratum in plan.strata.items()]
    known += [("forms.csv", forms, "visit", "visit", list(plan.visit))]
    known += [("forms.csv", forms, "instrument", "instrument", list(instruments))]
    for file, table, column, noun, words in known:
        strange = table[column].notna() & ~table[column].isin(words)
        if strange.any():
            cure = f"The plan has {', '.join(words)}."
            if column == "instrument":
                cure = "Put its definition into the folder instruments, or correct the code."
            yield Fault(file, rows_where(strange), column, f"there is no such {noun}", cure)


def _dates(subjects: pd.DataFrame, data_cut: date | None) -> Iterator[Fault]:
    def fault(mask: "pd.Series[bool]", column: str, what: str, cure: str) -> Iterator[Fault]:
        if mask.any():
            yield Fault("subjects.csv", rows_where(mask), column, what, cure)

    randomised = subjects["randomised_on"].notna()
    at_risk = randomised & subjects["died_on"].isna()
    yield from fault(randomised & subjects["arm"].isna(), "arm", "randomised, but to no arm", "Name the arm.")
    cure = "Give the last date known alive; it may be the day of randomisation."
    yield from fault(at_risk & subjects["last_alive_on"].isna(), "last_alive_on", "neither dead nor known alive", cure)
    for column in ("died_on", "progression_on", "last_alive_on"):
        before = randomised & (subjects[column] < subjects["randomised_on"])
        if column == "last_alive_on":
            before &= subjects["died_on"].isna()
        yield from fault(before, column, "this day lies before randomisation", "Correct either date.")
        if data_cut is not None:
            after = subjects[column] > pd.Timestamp(data_cut)
            yield from fault(after, column, "this day lies after the data cut", "Correct it, or cut later.")
    for column in ("progression_on", "last_alive_on"):
        dead = subjects[column] > subjects["died_on"]
        yield from fault(dead, column, "this day lies after death", "Correct either date.")


def _answers(answers: pd.DataFrame, instruments: Mapping[str, Instrument]) -> Iterator[Fault]:
    """Items that an instrument does not have, and values that are none of an item's options."""
    for code, instrument in instruments.items():
        own = answers["instrument"] == code
        options = {item.code: instrument.options(item.code) for item in instrument.items}
        unknown = own & ~answers["item"].isin(list(options))
        if unknown.any():
            cure = f"{code} has {', '.join(options)}."
            yield Fault("answers.csv", rows_where(unknown), "item", f"{code} has no such item", cure)
        for allowed in sorted(set(options.values())):
            items = [item for item, its in options.items() if its == allowed]
            among = own & answers["item"].isin(items) & answers["value"].notna()
            wrong = among & ~answers["value"].isin(allowed)
            if wrong.any():
                cure = f"Write one of {', '.join(map(str, allowed))}, or leave it empty."
                yield Fault("answers.csv", rows_where(wrong), "value", "this is none of the item's options", cure)


def faults_of_plan(error: Any) -> list[Fault]:
    """What pydantic found in a plan, as faults of analysis.toml."""
    faults = []
    for detail in error.errors(include_url=False, include_input=False):
        key = ".".join(map(str, detail["loc"])) or None
        what = str(detail["msg"]).removeprefix("Value error, ")
        faults.append(Fault("analysis.toml", (), key, what, "Correct the trial file, or this file."))
    return faults
