"""Which kinds of file does the trial office send?"""

from __future__ import annotations

from epro.acts.imports.adverse_events import ADVERSE_EVENTS
from epro.acts.imports.covariates import COVARIATES
from epro.acts.imports.files import Kind
from epro.acts.imports.outcomes import OUTCOMES
from epro.acts.imports.patients import PATIENTS

KINDS: dict[str, Kind] = {kind.code: kind for kind in (PATIENTS, COVARIATES, OUTCOMES, ADVERSE_EVENTS)}
