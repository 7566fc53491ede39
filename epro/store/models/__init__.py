"""The tables of the service: who takes part, what happened, what was asked and answered, who may see it.

The scheduler owns its own tables (`scheduler.ledger`). Every row that an act writes carries `entry`, the audit entry
that tells of it: a foreign key held back until commit, so that no row is kept without its entry. All are loaded
together, so that `Base.metadata` always knows every table.
"""

from epro.store.models.assessments import Answer, Assessment, Form, Link, never_planned
from epro.store.models.base import ERASED, Base, table_of
from epro.store.models.patients import (
    Allocation,
    Card,
    CodeWord,
    Contact,
    FirstText,
    Miss,
    Patient,
    PatientEvent,
    Reply,
    SecondStep,
)
from epro.store.models.record import Access, Audit, AuditValue, DataLock, Restored, Signature
from epro.store.models.staff import Passkey, RecoveryCode, StaffDraft, StaffSession, StaffToken, StaffTry, User
from epro.store.models.trial import AdverseEvent, CovariateValue, ImportedFile, TrialVersion

__all__ = [
    "ERASED",
    "Access",
    "AdverseEvent",
    "Allocation",
    "Answer",
    "Assessment",
    "Audit",
    "AuditValue",
    "Base",
    "Card",
    "CodeWord",
    "Contact",
    "CovariateValue",
    "DataLock",
    "FirstText",
    "Form",
    "ImportedFile",
    "Link",
    "Miss",
    "Passkey",
    "Patient",
    "PatientEvent",
    "RecoveryCode",
    "Reply",
    "Restored",
    "SecondStep",
    "Signature",
    "StaffDraft",
    "StaffSession",
    "StaffToken",
    "StaffTry",
    "TrialVersion",
    "User",
    "never_planned",
    "table_of",
]
