"""How does a trial become one page that opens anywhere, with every number and figure beside it?"""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis import sections
from analysis.numbers import Numbers
from analysis.plan import TrialPlan
from analysis.sections import Material, Section
from analysis.trial import Trial

REPORT, NUMBERS, FIGURES = "report.html", "numbers", "figures"
VERSIONED = ("pandas", "numpy", "scipy", "lifelines", "matplotlib")
CONTENTS = (
    sections.participants,
    sections.completion,
    sections.quality_of_life,
    sections.other_questionnaires,
    sections.overall_survival,
    sections.progression_free_survival,
    sections.baseline_and_survival,
    sections.time_to_deterioration,
)


def report(trial: Trial, analysis_plan: TrialPlan, out: Path | str) -> Path:
    """Write the report into the folder `out` and return its page, report.html; what stood there before is replaced.

    Beside it: numbers.csv and numbers.json (every number of the page under its id, unrounded) and figures/*.svg.
    analysis_plan: `trial.plan`, or another one over the same tables. What cannot be estimated is said, with the reason.
    The same trial, plan and versions give the same bytes. Raises OSError.
    """
    out = Path(out)
    material = Material(trial, analysis_plan, trial.scores(analysis_plan.analysis.instrument), Numbers())
    written = [section for tell in CONTENTS if (section := tell(material)).parts]
    facts = _facts(trial)
    page = _page(analysis_plan, facts, written)
    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out / FIGURES, ignore_errors=True)
    (out / FIGURES).mkdir()
    for section in written:
        for figure in section.figures:
            (out / FIGURES / f"{figure.name}.svg").write_text(figure.svg, encoding="utf-8")
    (out / f"{NUMBERS}.csv").write_text(material.numbers.as_csv(), encoding="utf-8")
    (out / f"{NUMBERS}.json").write_text(_as_json(analysis_plan, facts, material.numbers), encoding="utf-8")
    (out / REPORT).write_text(page, encoding="utf-8")
    return out / REPORT


def _facts(trial: Trial) -> dict[str, str]:
    """What the report rests on, as it is shown."""
    cut = trial.data_cut.isoformat() if trial.data_cut else "not stated: the folder has no manifest"
    written_by = f"epro {trial.epro_version}" if trial.epro_version else "another system"
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONED)
    return {"Data cut": cut, "Data written by": written_by, "Data SHA-256": trial.sha256, "Computed with": versions}


def _page(plan: TrialPlan, facts: dict[str, str], written: list[Section]) -> str:
    environment = Environment(
        loader=PackageLoader("analysis"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(REPORT).render(trial=plan.trial, facts=facts, sections=written) + "\n"


def _as_json(plan: TrialPlan, facts: dict[str, str], numbers: Numbers) -> str:
    shown = {number.id: {"value": number.value, "text": number.text} for number in numbers}
    return json.dumps({"trial": plan.trial.code, **facts, "numbers": shown}, indent=1, ensure_ascii=False) + "\n"
