"""Which tables does a trial folder hold, with which columns?

No column may hold contact data; what is not declared here, or as a stratum or covariate by the plan, is refused.
"""

from analysis.columns import Column
from analysis.plan import TrialPlan

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
COVARIATES = (Column("subject", required=True, filled=True),)  # the plan's covariates follow, one column each
TABLES = {
    "subjects": SUBJECTS,
    "forms": FORMS,
    "answers": ANSWERS,
    "covariates": COVARIATES,
    "adverse_events": ADVERSE_EVENTS,
}
OPTIONAL = ("covariates", "adverse_events")
PLAN, INSTRUMENTS = "analysis.toml", "instruments"


def columns_of(name: str, plan: TrialPlan) -> list[Column]:
    """The columns of a table, those that the plan names included."""
    columns = list(TABLES[name])
    if name == "subjects":
        columns[3:3] = [Column(code, required=code in plan.analysis.strata) for code in plan.strata]
    if name == "covariates":
        columns += [Column(code, each.kind, required=True) for code, each in plan.analysis.covariate.items()]
    return columns
