"""The staff's pages: `pages` is the blueprint with all of them."""

from epro.web.desk import (
    accounts,
    answers,
    calendar,
    calling,
    card,
    enrolment,
    entering,
    exporting,
    first_text,
    importing,
    moments,
    monitoring,
    patient,
    signing,
    standing,
    trail,
    worklist,
)
from epro.web.desk.gate import pages

__all__ = [
    "accounts",
    "answers",
    "calendar",
    "calling",
    "card",
    "enrolment",
    "entering",
    "exporting",
    "first_text",
    "importing",
    "moments",
    "monitoring",
    "pages",
    "patient",
    "signing",
    "standing",
    "trail",
    "worklist",
]
