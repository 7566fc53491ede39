"""What was asked, in which order is it tested, and where in the report does a reader find what CONSORT-PRO asks for?"""

from collections.abc import Mapping

from analysis.planned import Estimand
from analysis.sections.material import Material, Section
from analysis.tables import Row, Table

ALPHA = 0.05
MASKED = (
    "The arms are masked: they are called by letters, by a key kept apart. Masking is partial. Dates of treatment that "
    "one arm alone has, visits that hang on them, questionnaires and covariates of one arm alone and reasons for "
    "missing forms are left out, adverse events are pooled, and texts of the plan that name an arm are withheld. "
    "A large difference may still tell which arm is which."
)
KEY_P = {  # the number that decides a test, by method: of the first scale and the first arm against the reference
    "cox": "{id}.1.logrank.{arm}.p",
    "survival at a month": "{id}.difference.{arm}.p",
    "mmrm": "{id}.{scale}.{visit}.difference.{arm}.p",
    "mmrm over all visits": "{id}.{scale}.{weights}.{arm}.p",
    "responders": "{id}.{scale}.{arm}.p",
    "time to deterioration": "{id}.1.logrank.{arm}.p",
    "reference-based imputation": "{id}.{scale}.jump-to-reference.{arm}.p",
}
OF_GRAY = "{id}.worsening.gray.{arm}.p"


def plan(material: Material, refused: Mapping[str, str]) -> Section:
    """Every estimand with its objective and method. refused: by id, why it was left out of this report."""
    section = Section("plan", "What was planned")
    rows = []
    for id, each in material.plan.analysis.estimand.items():
        role = "primary" if each.primary else each.objective
        rows.append(Row(each.title, ((role,), (_ordinal(each),), (each.method_in_words,), (refused.get(id, "below"),))))
    section.parts.append(
        Table("Estimands", ("Estimand", "Objective", "Order of tests", "Method", "Where"), tuple(rows))
    )
    if material.trial.masked:
        section.parts.append((MASKED,))
    return section


def _ordinal(each: Estimand) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    if each.test_order is None:
        return "none"
    return words[each.test_order - 1] if each.test_order <= len(words) else "later"


def hierarchy(material: Material) -> Section:
    """The tests in their order: each is confirmatory only when all before it succeeded."""
    section = Section("hierarchy", "The hierarchy of tests")
    tested = [(id, each) for id, each in material.plan.analysis.estimand.items() if each.test_order is not None]
    if not tested:
        section.parts.append(("The plan has no hierarchy of tests.",))
        return section
    shown = {number.id: number for number in material.numbers}
    rows, open_still = [], True
    for id, each in sorted(tested, key=lambda pair: pair[1].test_order or 0):
        number = shown.get(_key(material, id, each))
        p = number.value if number is not None else None
        passed = open_still and p is not None and p < ALPHA
        said = "succeeded" if passed else "did not succeed" if open_still else "descriptive: one before did not succeed"
        value = material.numbers.p(f"hierarchy.{id}.p", p) if p is not None else "none"
        rows.append(Row(each.title, ((value,), ("not tested: no result" if p is None else said,))))
        open_still = passed
    note = "Each is tested two-sided at 0.05, in this order, as long as every one before it succeeded."
    section.parts.append(Table("Tests in their order", ("Estimand", "p", "Outcome"), tuple(rows), note))
    return section


def _key(material: Material, id: str, each: Estimand) -> str:
    scale, arm = next(iter(each.scales), ""), material.others[0]
    pattern = OF_GRAY if each.reading == "competing" else KEY_P.get(each.method, "")
    return pattern.format(id=id, arm=arm, scale=scale, visit=each.visit, weights=each.weights or "time")


def checklist(material: Material) -> Section:
    """CONSORT-PRO (Calvert and others, JAMA 2013): each item, and where in this report it is found."""
    section = Section("consort-pro", "CONSORT-PRO checklist")
    instruments = (
        ", ".join(f"{each.title} (version {each.version})" for each in material.trial.instruments.values()) or "none"
    )
    modes = sorted(mode.replace("_", " ") for mode in set(material.trial.forms["mode"].dropna())) or ["not recorded"]
    of_scores = [each.title for each in material.plan.analysis.estimand.values() if each.scales]
    authors = "For the authors"
    filled = f"{instruments}; mode: {', '.join(modes)}; validity: for the authors"
    hypotheses = f"What was planned; {'; '.join(of_scores) or 'none'}"
    items = {
        "P1b. Named in the abstract as primary or secondary outcome": f"{authors}; What was planned says which",
        "2a. Background and rationale of patient-reported outcomes": authors,
        "P2b. Hypothesis and domains of the patient-reported outcomes": hypotheses,
        "4a. Eligibility, where these outcomes limited it": f"{authors}; missing baselines: Participants",
        "P6a. Instrument, its validity, who filled it in and how": filled,
        "7a. How the sample size was determined": authors,
        "P12a. Statistical approach to missing data": "Summary and diagnostics of each estimand",
        "13a. Numbers at baseline and at each later visit, by arm": "Completion of the questionnaires",
        "15. Baseline data, the patient-reported ones included": "Patients at baseline",
        "16. Number analysed in each analysis": "Diagnostics of each estimand",
        "17a. For each outcome the result in each arm, the effect and its precision": "Each estimand",
        "18. Other analyses, planned or exploratory": "What was planned, column Objective",
        "P20/21. Limitations, and what it means for clinical practice": authors,
    }
    rows = [Row(item, ((where,),)) for item, where in items.items()]
    section.parts.append(Table("Items, and where they are found", ("Item", "Where"), tuple(rows)))
    return section
