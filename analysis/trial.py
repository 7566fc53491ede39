"""What is a trial to the analyst: which tables, which columns, under which plan, and are they whole?

The folder: subjects.csv, forms.csv, answers.csv, optional adverse_events.csv, analysis.toml, optional
instruments/*.toml (the definitions used) and manifest.json (data cut, row counts, SHA-256 of each file). A folder from
elsewhere needs the required columns and analysis.toml alone. No contact data, ever.
"""

import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

import questionnaires
from analysis.checking import FORM_KEY, disagreements, faults_of_plan
from analysis.columns import BadTrial, Column, Fault, as_text, typed
from analysis.manifest import MANIFEST, altered, digest_of_all, read_manifest, write_manifest
from analysis.plan import TrialPlan, as_toml
from questionnaires.definition import Instrument

FORM_STATES = (
    "not_due",
    "open",
    "started",
    "completed",
    "closed_unfinished",
    "missed",
    "excused",
    "before_system",
)
ANSWER_STATES = ("answered", "skipped", "not_applicable", "not_shown")

SUBJECTS = (  # the plan's strata follow, one column each
    Column("subject", required=True, filled=True),
    Column("site"),
    Column("arm", required=True),
    Column("consented_on", "date"),
    Column("randomised_on", "date", required=True),
    Column("surgery_on", "date"),
    Column("progression_on", "date"),
    Column("died_on", "date", required=True),
    Column("withdrawn_on", "date"),
    Column("last_alive_on", "date", required=True),  # answer, call, visit or import; never the day of export
)
FORMS = (
    Column("subject", required=True, filled=True),
    Column("visit", required=True, filled=True),
    Column("month", "number"),
    Column("instrument", required=True, filled=True),
    Column("version"),
    Column("due_on", "date"),
    Column("opens_on", "date"),
    Column("closes_on", "date"),
    Column("expected", "flag", required=True, filled=True),
    Column("state", required=True, filled=True, words=FORM_STATES),
    Column("reason"),
    Column("mode"),
    Column("language"),
    Column("completed_at", "instant"),
    Column("wording_sha256"),
    Column("schedule_version"),
)
ANSWERS = (
    Column("subject", required=True, filled=True),
    Column("visit", required=True, filled=True),
    Column("instrument", required=True, filled=True),
    Column("version"),
    Column("item", required=True, filled=True),
    Column("value", "whole", required=True),
    Column("state", words=ANSWER_STATES),
    Column("answered_at", "instant"),
)
ADVERSE_EVENTS = (
    Column("subject", required=True, filled=True),
    Column("term", required=True, filled=True),
    Column("grade", "whole", required=True),
    Column("serious", "flag"),
    Column("started_on", "date", required=True),
    Column("ended_on", "date"),
)
TABLES = {"subjects": SUBJECTS, "forms": FORMS, "answers": ANSWERS, "adverse_events": ADVERSE_EVENTS}
OPTIONAL = "adverse_events"
PLAN, INSTRUMENTS = "analysis.toml", "instruments"


@dataclass(frozen=True, eq=False, repr=False)
class Trial:
    """A trial's tables, as declared above, that agree with each other and with their plan.

    data_cut: the day of the export, None for a folder without manifest. sha256: of every file that was read.
    """

    folder: Path
    subjects: pd.DataFrame
    forms: pd.DataFrame
    answers: pd.DataFrame
    adverse_events: pd.DataFrame | None
    plan: TrialPlan
    instruments: Mapping[str, Instrument]
    data_cut: date | None
    sha256: str
    epro_version: str | None

    def __repr__(self) -> str:
        return f"Trial({self.plan.trial.code}: {len(self.subjects)} subjects, {len(self.forms)} forms)"

    @property
    def randomised(self) -> pd.DataFrame:
        """The subjects that were randomised."""
        return self.subjects[self.subjects["randomised_on"].notna()].reset_index(drop=True)

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
    instruments = _instruments(folder, {*forms["instrument"], plan.analysis.instrument})
    data_cut = manifest.data_cut if manifest else None
    faults = [
        *altered(folder, manifest),
        *disagreements(subjects, forms, answers, plan, instruments, data_cut),
        *_unscored(plan, instruments),
    ]
    if faults:
        raise BadTrial(faults)
    version = manifest.epro_version if manifest else None
    adverse = tables.get(OPTIONAL)
    sha256 = digest_of_all(folder, _files(folder))
    return Trial(folder, subjects, forms, answers, adverse, plan, instruments, data_cut, sha256, version)


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
    adverse_events: pd.DataFrame | None = None,
) -> Trial:
    """Write a trial folder, and read it back before saying done; what stood there before is replaced.

    Tables: the columns declared above, in any order; those not known may be absent; dates, aware instants, flags and
    whole numbers as Python or pandas have them, None = missing. plan: also the whole of a trial file as read by
    tomllib. instruments: the files of the definitions used. Raises BadTrial as `read_trial` does.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder / INSTRUMENTS, ignore_errors=True)
    (folder / f"{OPTIONAL}.csv").unlink(missing_ok=True)
    plan = plan if isinstance(plan, TrialPlan) else _valid_plan(plan)
    (folder / PLAN).write_text(as_toml(plan), encoding="utf-8")
    (folder / INSTRUMENTS).mkdir()
    for file in instruments:
        shutil.copyfile(file, folder / INSTRUMENTS / file.name)
    given = {"subjects": subjects, "forms": forms, "answers": answers, OPTIONAL: adverse_events}
    rows = {}
    for name, table in given.items():
        if table is not None:
            text = as_text(table, _columns(name, plan)).sort_values(_order(name), ignore_index=True, kind="stable")
            text.to_csv(folder / f"{name}.csv", index=False, encoding="utf-8", lineterminator="\n")
            rows[f"{name}.csv"] = len(text)
    write_manifest(
        folder,
        trial=plan.trial.code,
        data_cut=data_cut,
        epro_version=epro_version,
        files=_files(folder),
        rows=rows,
    )
    return read_trial(folder)


def _columns(name: str, plan: TrialPlan) -> list[Column]:
    columns = list(TABLES[name])
    if name == "subjects":
        columns[3:3] = [Column(code, required=code in plan.analysis.strata) for code in plan.strata]
    return columns


def _order(name: str) -> list[str]:
    return {"subjects": ["subject"], "forms": FORM_KEY, "answers": FORM_KEY}.get(name, ["subject", "started_on"])


def _read(folder: Path, name: str, plan: TrialPlan) -> tuple[pd.DataFrame | None, list[Fault]]:
    file = f"{name}.csv"
    try:
        raw = pd.read_csv(folder / file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        missing = Fault(file, (), None, "there is no such file", "Put it into the folder.")
        return None, [] if name == OPTIONAL else [missing]
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError):
        fault = Fault(file, (), None, "this is no table", "Save it as CSV in UTF-8, with the columns in its first row.")
        return None, [fault]
    return typed(raw, _columns(name, plan), file)


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


def _unscored(plan: TrialPlan, instruments: Mapping[str, Instrument]) -> list[Fault]:
    """Scales that the plan names and its instrument does not have."""
    analysis = plan.analysis
    if analysis.instrument not in instruments:
        cure = f"Put {analysis.instrument}.toml into the folder {INSTRUMENTS}."
        return [Fault(PLAN, (), "analysis.deterioration.instrument", "there is no such instrument", cure)]
    definition = instruments[analysis.instrument]
    known = [each.code for each in definition.scales] + [each.code for each in definition.composites]
    named = [*analysis.profile_scales, analysis.baseline_scale, analysis.deterioration.scale]
    return [
        Fault(PLAN, (), "analysis", f"{analysis.instrument} has no scale {code}", f"It has {', '.join(known)}.")
        for code in dict.fromkeys(named)
        if code not in known
    ]


def _files(folder: Path) -> list[str]:
    """The files that make a trial, in a fixed order."""
    tables = [f"{name}.csv" for name in TABLES if (folder / f"{name}.csv").is_file()]
    definitions = sorted(f"{INSTRUMENTS}/{file.name}" for file in (folder / INSTRUMENTS).glob("*.toml"))
    return [*tables, PLAN, *definitions]
