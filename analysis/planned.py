"""What does a plan say about one estimand: its five attributes, its objective, and the method that answers it?"""

from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Objective = Literal["superiority", "sensitivity", "descriptive"]
Strategy = Literal["treatment policy", "hypothetical", "composite", "while alive", "principal stratum"]
Endpoint = Literal["overall survival", "progression-free survival"]
Reading = Literal["composite", "competing", "definitive"]
Method = Literal[
    "cox",
    "survival at a month",
    "median survival",
    "mmrm",
    "mmrm over all visits",
    "responders",
    "time to deterioration",
    "while alive",
    "baseline prognosis",
    "changing prognosis",
    "joint model",
    "q-twist",
    "quality-adjusted survival",
    "reference-based imputation",
    "prognostic factors",
    "predictive factors",
    "adverse events",
]

METHODS: tuple[Method, ...] = get_args(Method)
IN_WORDS: dict[Method, str] = {  # methods whose own word is short for something
    "cox": "log-rank test and Cox model",
    "survival at a month": "Kaplan-Meier survival at a month",
    "mmrm": "mixed model for repeated measures",
    "mmrm over all visits": "mixed model for repeated measures, averaged over visits",
    "responders": "counts, and logistic model",
    "while alive": "estimating equations among the living",
    "baseline prognosis": "Cox model of the baseline score",
    "changing prognosis": "Cox model of the score as it changes",
    "q-twist": "Q-TWiST",
    "prognostic factors": "one Cox model",
    "predictive factors": "Cox models within groups, and with an interaction",
    "adverse events": "counts",
}
NEEDED: dict[str, frozenset[str]] = {
    "cox": frozenset({"endpoint"}),
    "survival at a month": frozenset({"endpoint", "month"}),
    "median survival": frozenset({"endpoint"}),
    "mmrm": frozenset({"scales", "visit", "threshold"}),
    "mmrm over all visits": frozenset({"scales"}),
    "responders": frozenset({"scales", "visit", "threshold"}),
    "time to deterioration": frozenset({"scales", "threshold", "reading"}),
    "while alive": frozenset({"scales"}),
    "baseline prognosis": frozenset({"scales"}),
    "changing prognosis": frozenset({"scales"}),
    "joint model": frozenset({"scales"}),
    "q-twist": frozenset({"month"}),
    "quality-adjusted survival": frozenset({"month", "utility"}),
    "reference-based imputation": frozenset({"scales", "visit"}),
    "prognostic factors": frozenset({"endpoint", "factors"}),
    "predictive factors": frozenset({"endpoint", "factors"}),
    "adverse events": frozenset(),
}
ALLOWED: dict[str, frozenset[str]] = {
    "cox": frozenset({"until_month", "month"}),
    "mmrm over all visits": frozenset({"weights", "until_month"}),
    "responders": frozenset({"missing"}),
    "while alive": frozenset({"threshold", "until_month"}),
    "reference-based imputation": frozenset({"deltas"}),
    "prognostic factors": frozenset({"scales"}),
}
PARAMETERS = frozenset().union(*NEEDED.values(), *ALLOWED.values())

OF_DEATH: dict[str, Strategy] = {  # what each method makes of a death that precludes its variable
    "mmrm": "hypothetical",
    "mmrm over all visits": "hypothetical",
    "responders": "composite",
    "while alive": "while alive",
    "joint model": "hypothetical",
    "q-twist": "composite",
    "quality-adjusted survival": "composite",
    "reference-based imputation": "while alive",
}
OF_DEATH_BY_READING: dict[str, Strategy] = {
    "composite": "composite",
    "competing": "while alive",
    "definitive": "composite",
}


class Estimand(BaseModel):
    """Population, treatment, variable, intercurrent events and summary; and how it is estimated.

    population, treatment: those of [analysis] unless said here. intercurrent: event: strategy. test_order: its place
    in the hierarchy of tests, 1 first; none = it is not part of it. primary: the one primary estimand.
    month: of the summary; for a Cox model where the restricted means are compared beside it. until_month:
    administrative censoring, or the last visit used. threshold: points. weights: of visits in an overall mean.
    missing: what the living without a score count as among responders. deltas: points added to imputed scores.
    utility: the instrument that gives utilities. factors: strata, covariates, or scales at baseline.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Text
    objective: Objective
    variable: Text
    summary: Text
    method: Method
    intercurrent: dict[Text, Strategy] = {}
    population: Text | None = None
    treatment: Text | None = None
    primary: bool = False
    test_order: int | None = Field(default=None, ge=1)
    endpoint: Endpoint | None = None
    scales: tuple[Text, ...] = ()
    visit: Text | None = None
    month: float | None = Field(default=None, gt=0)
    until_month: float | None = Field(default=None, gt=0)
    threshold: float | None = Field(default=None, gt=0)
    reading: Reading | None = None
    weights: Literal["time", "equal"] | None = None
    missing: Literal["left out", "worsened"] | None = None
    deltas: tuple[float, ...] = ()
    utility: Text | None = None
    factors: tuple[Text, ...] = ()

    @property
    def method_in_words(self) -> str:
        return IN_WORDS.get(self.method, self.method)

    @model_validator(mode="after")
    def _can_be_carried_out(self) -> Self:
        given = {name for name in PARAMETERS if getattr(self, name) not in (None, ())}
        needed = NEEDED[self.method]
        if lacking := sorted(needed - given):
            raise ValueError(f"the method {self.method!r} needs {', '.join(lacking)}")
        if beyond := sorted(given - needed - ALLOWED.get(self.method, frozenset())):
            raise ValueError(f"the method {self.method!r} takes no {', '.join(beyond)}")
        if self.objective == "descriptive" and (self.test_order is not None or self.primary):
            raise ValueError("a descriptive objective is not tested: it can neither be primary nor have a test_order")
        answered = OF_DEATH_BY_READING.get(self.reading or "") or OF_DEATH.get(self.method)
        if answered is not None and self.intercurrent.get("death") != answered:
            how = f"{self.method!r} ({self.reading})" if self.reading else repr(self.method)
            raise ValueError(
                f"the method {how} answers the strategy {answered!r} for death; "
                f'say intercurrent.death = "{answered}", or choose the method that answers another strategy'
            )
        return self

    @property
    def is_tested(self) -> bool:
        """Whether p-values are printed."""
        return self.objective != "descriptive"
