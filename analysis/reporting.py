"""How does a trial become one page that opens anywhere, with every number and figure beside it?"""

import hashlib
import json
import shutil
from collections.abc import Callable, Collection
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis.manifest import MANIFEST, digest
from analysis.numbers import Numbers
from analysis.plan import TrialPlan, as_toml
from analysis.sections.contents import written
from analysis.sections.material import Material, Section
from analysis.trial import Trial

REPORT, NUMBERS, FIGURES = "report.html", "numbers", "figures"
VERSIONED = ("pandas", "numpy", "scipy", "lifelines", "statsmodels", "formulaic", "matplotlib")


def report(
    trial: Trial,
    analysis_plan: TrialPlan,
    out: Path | str,
    *,
    only: Collection[str] = (),
    command: str = "analysis.report",
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write the report into the folder `out` and return its page, report.html; what stood there before is replaced.

    Beside it: numbers.csv and numbers.json (every number of the page under its id, unrounded), figures/*.svg and *.png,
    and manifest.json (data, plan, versions, command, SHA-256 of every file). analysis_plan: `trial.plan`, or another
    one over the same tables. only: ids of sections; default all. command: as it is to be shown. progress: told the
    title of each section before it is made. What cannot be estimated is said, with the reason. The same trial, plan,
    command and versions give the same bytes. Raises NoSuchSection, OSError.
    """
    out = Path(out)
    material = Material(trial, analysis_plan, Numbers())
    sections = written(material, only, progress)
    facts = _facts(trial, analysis_plan, command)
    page = _page(analysis_plan, facts, sections)
    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out / FIGURES, ignore_errors=True)
    (out / FIGURES).mkdir()
    for section in sections:
        for figure in section.figures:
            figure.save(out / FIGURES)
    (out / f"{NUMBERS}.csv").write_text(material.numbers.as_csv(), encoding="utf-8")
    (out / f"{NUMBERS}.json").write_text(_as_json(analysis_plan, facts, material.numbers), encoding="utf-8")
    (out / REPORT).write_text(page, encoding="utf-8")
    _write_manifest(out, analysis_plan, facts)
    return out / REPORT


def _facts(trial: Trial, plan: TrialPlan, command: str) -> dict[str, str]:
    """What the report rests on, as it is shown."""
    cut = trial.data_cut.isoformat() if trial.data_cut else "not stated: the folder has no manifest"
    return {
        "Data cut": cut,
        "Data written by": f"epro {trial.epro_version}" if trial.epro_version else "another system",
        "Data SHA-256": trial.sha256,
        "Plan SHA-256": hashlib.sha256(as_toml(plan).encode()).hexdigest(),
        "Computed with": ", ".join(f"{name} {version(name)}" for name in VERSIONED),
        "Command": command,
        **({"Masked": "arms are called by letters; see What was planned"} if trial.masked else {}),
    }


def page_of(sections: list[Section]) -> str:
    """Sections as HTML, without the page around them."""
    return _environment().get_template("sections.html").render(sections=sections)


def _page(plan: TrialPlan, facts: dict[str, str], sections: list[Section]) -> str:
    return _environment().get_template(REPORT).render(trial=plan.trial, facts=facts, sections=sections) + "\n"


def _environment() -> Environment:
    return Environment(loader=PackageLoader("analysis"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def _as_json(plan: TrialPlan, facts: dict[str, str], numbers: Numbers) -> str:
    shown = {number.id: {"value": number.value, "text": number.text} for number in numbers}
    return json.dumps({"trial": plan.trial.code, **facts, "numbers": shown}, indent=1, ensure_ascii=False) + "\n"


def _write_manifest(out: Path, plan: TrialPlan, facts: dict[str, str]) -> None:
    files = [out / REPORT, out / f"{NUMBERS}.csv", out / f"{NUMBERS}.json", *sorted((out / FIGURES).iterdir())]
    said = {"trial": plan.trial.code, **facts, "files": {str(f.relative_to(out)): digest(f) for f in files}}
    (out / MANIFEST).write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
