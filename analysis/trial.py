"""What is a trial to the analyst: which tables, which columns, under which plan, and are they whole?

The folder: subjects, forms, answers, optional covariates and adverse_events, each as .csv or .parquet; analysis.toml,
optional instruments/*.toml (the definitions used) and manifest.json (data cut, row counts, SHA-256 of each file). A
folder from elsewhere needs the required columns and analysis.toml alone. No contact data, ever.
"""

import shutil
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

import questionnaires
from analysis.checking import FORM_KEY, disagreements, faults_of_plan, strangers
from analysis.columns import BadTrial, Fault, as_text, distinct_of, spread, typed
from analysis.declared import ANSWER_STATES, FORM_STATES, INSTRUMENTS, OPTIONAL, PLAN, TABLES, columns_of
from analysis.manifest import MANIFEST, altered, digest_of_all, read_manifest, write_manifest
from analysis.oddities import Oddity, oddities
from analysis.plan import TrialPlan, as_toml, impossible
from questionnaires.cells import inert, plain, write_csv
from questionnaires.definition import Instrument

KINDS = (".csv", ".parquet")

__all__ = ["ANSWER_STATES", "FORM_STATES", "Trial", "read_trial", "write_trial"]


@dataclass(frozen=True, eq=False, repr=False)
class Trial:
    """A trial's tables, as declared above, that agree with each other and with their plan.

    data_cut: the day of the export, None for a folder without manifest. sha256: of every file that was read.
    masked: its arms are called A, B and so on, and what would tell which is which has been taken out.
    """

    folder: Path
    subjects: pd.DataFrame
    forms: pd.DataFrame
    answers: pd.DataFrame
    covariates: pd.DataFrame | None
    adverse_events: pd.DataFrame | None
    plan: TrialPlan
    instruments: Mapping[str, Instrument]
    data_cut: date | None
    sha256: str
    epro_version: str | None
    masked: bool = False

    def __repr__(self) -> str:
        return f"Trial({self.plan.trial.code}: {len(self.subjects)} subjects, {len(self.forms)} forms)"

    @property
    def randomised(self) -> pd.DataFrame:
        """The subjects that were randomised."""
        return self.subjects[self.subjects["randomised_on"].notna()].reset_index(drop=True)

    @property
    def oddities(self) -> list[Oddity]:
        """What is odd in the tables, and kept."""
        return oddities(self.subjects, self.forms, self.answers, self.plan)

    def scores(self, instrument: str) -> pd.DataFrame:
        """One row per form with an answer: subject, arm, visit, month, baseline, answered_on, one column per scale.

        answered_on: the local day of submission, else of the last answer, else the due day. month: from the plan.
        """
        definition = self.instruments[instrument]
        own = self.answers[(self.answers["instrument"] == instrument) & self.answers["value"].notna()]
        wide = own.pivot(index=["subject", "visit"], columns="item", values="value")
        wide = wide.reindex(columns=[item.code for item in definition.items])
        scores = questionnaires.score(wide, definition).reset_index()
        forms = self.forms[self.forms["instrument"] == instrument].merge(
            self.subjects[["subject", "arm"]], on="subject"
        )
        last = own.groupby(["subject", "visit"])["answered_at"].max().rename("last_answer").reset_index()
        forms = forms.merge(last, on=["subject", "visit"], how="left")
        said_at = forms["completed_at"].fillna(forms["last_answer"]).dt.tz_convert(self.plan.trial.zone)
        forms["answered_on"] = said_at.dt.tz_localize(None).dt.normalize().fillna(forms["due_on"])
        forms["month"] = forms["visit"].map(self.plan.months).astype(float)
        forms["baseline"] = forms["visit"].isin(self.plan.baselines)
        kept = ["subject", "arm", "visit", "month", "baseline", "answered_on"]
        return forms[kept].merge(scores, on=["subject", "visit"]).sort_values(["subject", "month"], ignore_index=True)


def read_trial(folder: Path | str) -> Trial:
    """The trial in a folder. Raises BadTrial with every fault: file, row, column, what is wrong and what is right."""
    folder = Path(folder)
    manifest = read_manifest(folder)
    plan = _plan(folder)
    tables: dict[str, pd.DataFrame] = {}
    faults: list[Fault] = []
    for name in TABLES:
        table, found = _read(folder, name, plan)
        faults += found
        if table is not None:
            tables[name] = table
    if faults:
        raise BadTrial(faults)
    subjects, forms, answers = tables["subjects"], tables["forms"], tables["answers"]
    utilities = {each.utility for each in plan.analysis.estimand.values() if each.utility}
    instruments = _instruments(folder, {*forms["instrument"], plan.analysis.instrument, *utilities})
    data_cut = manifest.data_cut if manifest else None
    faults = [
        *altered(folder, manifest),
        *disagreements(subjects, forms, answers, plan, instruments, data_cut),
        *strangers(subjects, {name: tables[name] for name in OPTIONAL if name in tables}),
        *_unplanned(plan, instruments),
    ]
    if faults:
        raise BadTrial(faults)
    return Trial(
        folder=folder,
        subjects=subjects,
        forms=forms,
        answers=answers,
        covariates=tables.get("covariates"),
        adverse_events=tables.get("adverse_events"),
        plan=plan,
        instruments=instruments,
        data_cut=data_cut,
        sha256=digest_of_all(folder, _files(folder)),
        epro_version=manifest.epro_version if manifest else None,
    )


def write_trial(
    folder: Path | str,
    *,
    subjects: pd.DataFrame,
    forms: pd.DataFrame,
    answers: pd.DataFrame,
    plan: TrialPlan | Mapping[str, Any],
    data_cut: date,
    epro_version: str,
    instruments: Iterable[Path] = (),
    covariates: pd.DataFrame | None = None,
    adverse_events: pd.DataFrame | None = None,
) -> Trial:
    """Write a trial folder, and read it back before saying done; what stood there before is replaced.

    Tables: the columns declared above, in any order; those not known may be absent; dates, aware instants, flags and
    whole numbers as Python or pandas have them, None = missing. plan: also the whole of a trial file as read by
    tomllib. instruments: the files of the definitions used. Raises BadTrial as `read_trial` does.
    """
    folder = Path(folder)
    _clear(folder)
    plan = plan if isinstance(plan, TrialPlan) else _valid_plan(plan)
    (folder / PLAN).write_text(as_toml(plan), encoding="utf-8")
    for file in instruments:
        shutil.copyfile(file, folder / INSTRUMENTS / file.name)
    given: dict[str, pd.DataFrame | None] = {"subjects": subjects, "forms": forms, "answers": answers}
    given |= {"covariates": covariates, "adverse_events": adverse_events}
    rows = {f"{name}.csv": _write(folder, name, table, plan) for name, table in given.items() if table is not None}
    write_manifest(
        folder,
        trial=plan.trial.code,
        data_cut=data_cut,
        epro_version=epro_version,
        files=_files(folder),
        rows=rows,
    )
    return read_trial(folder)


def _clear(folder: Path) -> None:
    """An empty place for a trial; files that are no part of one stay."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder / INSTRUMENTS, ignore_errors=True)
    (folder / INSTRUMENTS).mkdir(parents=True)
    for name in TABLES:
        for kind in KINDS:
            (folder / f"{name}{kind}").unlink(missing_ok=True)


def _write(folder: Path, name: str, table: pd.DataFrame, plan: TrialPlan) -> int:
    """A table as CSV, its rows in a fixed order; how many there are."""
    text = as_text(table, columns_of(name, plan)).sort_values(_order(name), ignore_index=True, kind="stable")
    safe = _in_texts(inert, text, name, plan)
    with open(folder / f"{name}.csv", "w", encoding="utf-8", newline="") as written:
        return write_csv(written, safe.columns, safe.itertuples(index=False))


def _order(name: str) -> list[str]:
    return {"forms": FORM_KEY, "answers": FORM_KEY, "adverse_events": ["subject", "started_on"]}.get(name, ["subject"])


def _file_of(folder: Path, name: str) -> Path | None:
    """The file of a table: CSV, else Parquet."""
    return next((file for kind in KINDS if (file := folder / f"{name}{kind}").is_file()), None)


def _read(folder: Path, name: str, plan: TrialPlan) -> tuple[pd.DataFrame | None, list[Fault]]:
    file = _file_of(folder, name)
    if file is None:
        cure = "Put it into the folder, as CSV or Parquet."
        missing = Fault(f"{name}.csv", (), None, "there is no such file", cure)
        return None, [] if name in OPTIONAL else [missing]
    columns = columns_of(name, plan)
    try:
        if file.suffix == ".csv":
            read = pd.read_csv(file, dtype="category", keep_default_na=False, encoding="utf-8-sig")
            raw = _in_texts(plain, read, name, plan)
        else:
            table = pd.read_parquet(file)
            raw = as_text(table, columns)[list(table.columns)]
    except ValueError:  # not UTF-8, no table, no Parquet
        cure = "Save it as CSV in UTF-8 with the columns in its first row, or as Parquet."
        return None, [Fault(file.name, (), None, "this is no table", cure)]
    return typed(raw, columns, file.name)


def _in_texts(do: Callable[[object], object], table: pd.DataFrame, name: str, plan: TrialPlan) -> pd.DataFrame:
    """A table with something done to each cell of its columns of text; numbers and days are as they are."""
    changed = {}
    for column in columns_of(name, plan):
        if column.kind == "text" and column.name in table:
            place, distinct = distinct_of(table[column.name])
            changed[column.name] = spread(distinct.map(do), place, table.index)
    return table.assign(**changed)


def _plan(folder: Path) -> TrialPlan:
    try:
        return _valid_plan(tomllib.loads((folder / PLAN).read_text(encoding="utf-8")))
    except FileNotFoundError:
        cure = "Put it there: [trial] [arms] [strata] [visit] [analysis]."
        raise BadTrial([Fault(PLAN, (), None, "there is no such file", cure)]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadTrial([Fault(PLAN, (), None, f"this is not TOML: {error}", "Correct it.")]) from None


def _valid_plan(data: Mapping[str, Any]) -> TrialPlan:
    try:
        return TrialPlan.model_validate(data)
    except ValidationError as error:
        raise BadTrial(faults_of_plan(error)) from None


def _instruments(folder: Path, codes: Iterable[str]) -> dict[str, Instrument]:
    """The definitions of these codes that the folder holds, else the catalogue; one that neither has is left out."""
    found = {}
    for code in sorted(codes):
        own = folder / INSTRUMENTS / f"{code}.toml"
        try:
            found[code] = questionnaires.load(own if own.is_file() else code)
        except LookupError:
            continue
        except ValueError as error:  # the definition is refused, and says why
            raise BadTrial([Fault(f"{INSTRUMENTS}/{code}.toml", (), None, str(error), "Correct it.")]) from None
    return found


def _unplanned(plan: TrialPlan, instruments: Mapping[str, Instrument]) -> list[Fault]:
    """What the plan names and the trial does not have."""
    visits = {code: visit.baseline for code, visit in plan.visit.items()}
    return [
        Fault(PLAN, (), ".".join(("analysis", *each.keys)), each.what, each.cure)
        for each in impossible(plan.analysis, visits, plan.strata, instruments)
    ]


def _files(folder: Path) -> list[str]:
    """The files that make a trial, in a fixed order."""
    tables = [file.name for name in TABLES if (file := _file_of(folder, name)) is not None]
    definitions = sorted(f"{INSTRUMENTS}/{file.name}" for file in (folder / INSTRUMENTS).glob("*.toml"))
    return [*tables, PLAN, *definitions]
