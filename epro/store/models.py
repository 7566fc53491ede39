"""The tables of the service: who takes part, what happened, what was asked and answered, who may see it.

The scheduler owns its own tables (`scheduler.ledger`). Every row that an act writes carries `entry`, the audit entry
that tells of it: a foreign key held back until commit, so that no row is kept without its entry.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, cast

from sqlalchemy import (
    JSON,
    Boolean,
    ColumnElement,
    ForeignKey,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    and_,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from scheduler.instants import Instant

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: Instant(), dict[str, Any]: JSON(), list[Any]: JSON()}  # noqa: RUF012


def table_of(model: type[Base]) -> Table:
    """The table of a model, for statements built from it."""
    return cast(Table, model.__table__)


def _entry() -> ForeignKey:
    return ForeignKey("audit.id", deferrable=True, initially="DEFERRED")


ERASED = ""  # in place of an address, a code word, the code of a card, their keyed hashes, or the words of a reply
Subject = Annotated[str, mapped_column(ForeignKey("patient.subject"))]
Entry = Annotated[str, mapped_column(_entry(), index=True)]
Serial = Annotated[int, mapped_column(primary_key=True, autoincrement=True)]


class TrialVersion(Base):
    """A version of the trial file, in force for patients from a day on. Append only."""

    __tablename__ = "trial_version"

    n: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    from_on: Mapped[date]
    rule: Mapped[str]  # consent | amendment
    simulated: Mapped[bool] = mapped_column(Boolean)  # a database of invented patients
    entry: Mapped[Entry]


class Restored(Base):
    """The database came back from a backup. Nothing is sent before `released_at`: what left since is not in it."""

    __tablename__ = "restored"

    id: Mapped[Serial]
    backup_at: Mapped[datetime]
    restored_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    entry: Mapped[Entry]


class Patient(Base):
    __tablename__ = "patient"

    subject: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(index=True)
    strata: Mapped[dict[str, Any]]
    language: Mapped[str]
    zone: Mapped[str]
    enrolled_at: Mapped[datetime]
    entry: Mapped[Entry]


class Allocation(Base):
    """The arm, apart from the patient, so that no query on patients carries it."""

    __tablename__ = "allocation"

    subject: Mapped[str] = mapped_column(ForeignKey("patient.subject"), primary_key=True)
    arm: Mapped[str]
    entry: Mapped[Entry]


class PatientEvent(Base):
    """Something that happened to a patient, on a day, reported at an instant. Append only; `corrects` replaces."""

    __tablename__ = "patient_event"
    __table_args__ = (Index("ix_patient_event_kind_reported_at", "kind", "reported_at"),)

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    kind: Mapped[str]
    happened_on: Mapped[date]
    value: Mapped[str | None]
    reported_at: Mapped[datetime]
    by: Mapped[str]
    reason: Mapped[str | None]
    corrects: Mapped[int | None] = mapped_column(ForeignKey("patient_event.id"))
    entry: Mapped[Entry]


class Contact(Base):
    """An address of a patient, encrypted, for a span of time."""

    __tablename__ = "contact"

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    kind: Mapped[str]  # sms | email
    address: Mapped[str] = mapped_column(Text)  # encrypted
    address_hash: Mapped[str] = mapped_column(index=True)  # keyed
    from_at: Mapped[datetime]
    until_at: Mapped[datetime | None]
    entry: Mapped[Entry]


class SecondStep(Base):
    """What a patient shows besides her link, as a keyed hash that can be emptied. Append only: the latest counts."""

    __tablename__ = "second_step"

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    kind: Mapped[str]  # birth_year | pin
    hash: Mapped[str | None]
    entry: Mapped[Entry]


class Card(Base):
    """The code on the card that a patient took home, encrypted, for a span of time."""

    __tablename__ = "card"

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    code: Mapped[str] = mapped_column(Text)  # encrypted, so that the card can be printed again
    code_hash: Mapped[str] = mapped_column(index=True)  # keyed
    from_at: Mapped[datetime]
    until_at: Mapped[datetime | None]
    entry: Mapped[Entry]


class Miss(Base):
    """A link, a code or a second step that was wrong. Kept for a day."""

    __tablename__ = "miss"
    __table_args__ = (Index("ix_miss_what_whom_at", "what", "whom", "at"),)

    id: Mapped[Serial]
    what: Mapped[str]
    whom: Mapped[str]  # hashed: an address, or a patient
    at: Mapped[datetime]


class CodeWord(Base):
    """The word by which a patient knows a text of ours, encrypted."""

    __tablename__ = "code_word"

    subject: Mapped[str] = mapped_column(ForeignKey("patient.subject"), primary_key=True)
    word: Mapped[str] = mapped_column(Text)
    entry: Mapped[Entry]


class Reply(Base):
    """A text that came in. Its words and its sender can be erased, and nothing else of it changed."""

    __tablename__ = "reply"

    id: Mapped[Serial]
    carrier_ref: Mapped[str] = mapped_column(unique=True)  # a doubled callback is one reply
    subject: Mapped[str | None] = mapped_column(ForeignKey("patient.subject"), index=True)
    address_hash: Mapped[str]
    body: Mapped[str] = mapped_column(Text)  # encrypted
    understood_as: Mapped[str]
    received_at: Mapped[datetime]
    entry: Mapped[Entry]


class Assessment(Base):
    """One patient at one visit, all its questionnaires. Windows are written by replanning alone.

    One that fell out of the plan before it was begun has an empty window: nothing is ever deleted.
    """

    __tablename__ = "assessment"
    __table_args__ = (
        UniqueConstraint("subject", "visit"),
        Index("ix_assessment_subject_closes_at", "subject", "closes_at"),
    )

    id: Mapped[Serial]
    subject: Mapped[Subject]
    visit: Mapped[str]
    schedule_version: Mapped[int]
    due_on: Mapped[date]
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime] = mapped_column(index=True)
    expected: Mapped[bool]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None] = mapped_column(index=True)
    received_at: Mapped[datetime | None]  # since when at least one answer stands; empty: none does
    reason: Mapped[str | None]
    entry: Mapped[Entry]


def never_planned() -> ColumnElement[bool]:
    """That an assessment fell out of the plan before it was begun: its window is empty."""
    return and_(Assessment.opens_at == Assessment.closes_at, Assessment.started_at.is_(None))


class Form(Base):
    """One questionnaire of an assessment, with the words it was asked in."""

    __tablename__ = "form"
    __table_args__ = (UniqueConstraint("assessment", "instrument"),)

    id: Mapped[Serial]
    assessment: Mapped[int] = mapped_column(ForeignKey("assessment.id"))
    instrument: Mapped[str]
    version: Mapped[str]
    wording_pack: Mapped[str]
    wording_edition: Mapped[int]
    wording_sha256: Mapped[str]
    language: Mapped[str]
    mode: Mapped[str]  # self | self_helped | proxy | not_said | tablet | phone | paper
    entry: Mapped[Entry]


class Answer(Base):
    """One answer to one item. Append only: the current answer is the one with the highest id."""

    __tablename__ = "answer"
    __table_args__ = (UniqueConstraint("form", "key"), Index("ix_answer_form_item", "form", "item", "id"))

    id: Mapped[Serial]
    form: Mapped[int] = mapped_column(ForeignKey("form.id"))
    item: Mapped[str]
    value: Mapped[int | None]
    text: Mapped[str | None] = mapped_column(Text)  # of an item that asks for words; never exported
    state: Mapped[str]  # answered | skipped | not_applicable
    key: Mapped[str]  # the phone's own key for this save: the same save twice is one answer
    session: Mapped[str]  # the patient's sitting: what was said in it may be shown again in it
    said_at: Mapped[datetime | None]  # the phone's clock, as claimed
    received_at: Mapped[datetime]
    by: Mapped[str]
    mode: Mapped[str]
    reason: Mapped[str | None]
    entry: Mapped[Entry]


class FirstText(Base):
    """A test text, sent while its patient sits beside the nurse. It is of no visit: the ledger knows nothing of it."""

    __tablename__ = "first_text"

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    contact: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    token: Mapped[str] = mapped_column(unique=True)  # by which the carrier's receipt is known
    link_hash: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str]  # claimed | accepted | refused | unknown | delivered | undelivered
    code: Mapped[int | None]  # the carrier's
    claimed_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]  # when the state was last heard of
    opened_at: Mapped[datetime | None]
    entry: Mapped[Entry]


class ImportedFile(Base):
    """A file of the trial office as it was brought in: its cells, contact data left out. Append only."""

    __tablename__ = "imported_file"

    id: Mapped[Serial]
    kind: Mapped[str]  # patients | covariates | outcomes | adverse_events
    sha256: Mapped[str]  # of the file itself
    cells: Mapped[str | None] = mapped_column(Text)  # as CSV
    rows: Mapped[int]
    imported_at: Mapped[datetime]
    entry: Mapped[Entry]


class CovariateValue(Base):
    """What the case report form says of a patient at baseline. Append only: the highest id counts."""

    __tablename__ = "covariate_value"
    __table_args__ = (Index("ix_covariate_value_subject_name", "subject", "name", "id"),)

    id: Mapped[Serial]
    subject: Mapped[Subject]
    name: Mapped[str]  # [analysis.covariate.NAME] of the trial file
    value: Mapped[str]  # a number with a point for decimals, or a word
    file: Mapped[int] = mapped_column(ForeignKey("imported_file.id"))
    entry: Mapped[Entry]


class AdverseEvent(Base):
    """What the case report form says of an adverse event. Append only: of one subject, term and first day the highest
    id counts."""

    __tablename__ = "adverse_event"

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    term: Mapped[str | None]
    grade: Mapped[int]  # 1 to 5, CTCAE
    serious: Mapped[bool | None]
    started_on: Mapped[date]
    ended_on: Mapped[date | None]
    taken_back: Mapped[bool] = mapped_column(Boolean)  # the form says now that it never was
    file: Mapped[int] = mapped_column(ForeignKey("imported_file.id"))
    entry: Mapped[Entry]


class Link(Base):
    """A way in for one patient to one assessment. Only the token's hash is kept."""

    __tablename__ = "link"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    assessment: Mapped[int] = mapped_column(ForeignKey("assessment.id"), index=True)
    message_key: Mapped[str | None] = mapped_column(index=True)  # of the text that carried it; empty on a tablet
    contact: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    mode: Mapped[str]  # self | tablet
    issued_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    entry: Mapped[str | None] = mapped_column(_entry())  # empty when the clock issued it: the ledger's event tells


class Audit(Base):
    """One act of one person, with every change it made, chained by hash within a site. Append only.

    Its reason alone can be emptied: the chain holds its digest.
    """

    __tablename__ = "audit"
    __table_args__ = ({"sqlite_with_rowid": False},)  # a chain lies on the disk as it is read

    chain: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    role: Mapped[str]
    channel: Mapped[str]  # desk | phone | tablet | clock | carrier | command | import
    request: Mapped[str | None]
    subject: Mapped[str | None] = mapped_column(index=True)  # whom it concerns; empty: nobody, or several
    action: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str | None]  # can be redacted: the chain holds its digest
    why: Mapped[str | None]  # the salted digest of the reason
    changes: Mapped[list[Any]]  # [table, row, column, old digest, new digest]
    previous: Mapped[str]
    hash: Mapped[str]


class AuditValue(Base):
    """A value that the trail speaks of by its salted digest. It can be redacted and the chain still verifies."""

    __tablename__ = "audit_value"

    digest: Mapped[str] = mapped_column(primary_key=True)
    salt: Mapped[str | None]
    value: Mapped[str | None] = mapped_column(Text)  # both empty: redacted, as an entry tells


class Access(Base):
    """A look at patients' data: who, when, by which page or export, and whose. Append only; hashed nightly."""

    __tablename__ = "access"

    id: Mapped[Serial]
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    role: Mapped[str]
    channel: Mapped[str]  # desk | command
    request: Mapped[str | None]
    what: Mapped[str]  # the page or the command
    subjects: Mapped[list[Any]]
    detail: Mapped[dict[str, Any]]  # of an export: row counts and the hash of what was written


class Signature(Base):
    """A name under one patient's record, or under a site's data up to a day. Append only."""

    __tablename__ = "signature"

    id: Mapped[Serial]
    site: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str | None] = mapped_column(ForeignKey("patient.subject"), index=True)  # empty: a data cut
    cut_on: Mapped[date | None]
    meaning: Mapped[str]
    name: Mapped[str]
    email: Mapped[str]
    role: Mapped[str]
    signed_at: Mapped[datetime]
    zone: Mapped[str]
    version: Mapped[int]  # how many acts had made what was signed
    last_event: Mapped[int]  # the highest ids that were signed
    last_answer: Mapped[int]
    last_covariate: Mapped[int]
    last_adverse_event: Mapped[int]
    sha256: Mapped[str]  # of what was signed, see `store.signed`
    entry: Mapped[Entry]


class DataLock(Base):
    """A site's data up to a day, closed to changes or opened again, under a signature. Append only."""

    __tablename__ = "data_lock"

    id: Mapped[Serial]
    site: Mapped[str] = mapped_column(index=True)
    cut_on: Mapped[date]
    locked: Mapped[bool] = mapped_column(Boolean)
    signature: Mapped[int] = mapped_column(ForeignKey("signature.id"), unique=True)  # of its own, used once
    at: Mapped[datetime]
    entry: Mapped[Entry]


class User(Base):
    """A member of staff. Accounts are personal and stay; `fs_uniquifier` ends every session when it changes."""

    __tablename__ = "staff_user"

    id: Mapped[Serial]
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    sites: Mapped[list[Any]]  # whose patients a nurse or an investigator may see; the other roles see every site
    password: Mapped[str | None]  # empty until the person has chosen one
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(unique=True)
    totp_secret: Mapped[str | None] = mapped_column(Text)  # encrypted
    totp_counter: Mapped[int | None]  # the step of the last code that was used: no code opens two sessions
    added_at: Mapped[datetime]
    entry: Mapped[Entry]


class Passkey(Base):
    """A device by which a member of staff signs in without a password."""

    __tablename__ = "staff_passkey"

    id: Mapped[Serial]
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    credential: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[str] = mapped_column(Text)
    sign_count: Mapped[int]
    name: Mapped[str]
    added_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    entry: Mapped[Entry]


class RecoveryCode(Base):
    """A code for the day the phone is lost. Only its hash is kept, and it works once."""

    __tablename__ = "staff_recovery_code"

    id: Mapped[Serial]
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    code_hash: Mapped[str]
    used_at: Mapped[datetime | None]  # also of a code whose set was replaced
    entry: Mapped[Entry]


class StaffSession(Base):
    """A browser that is signed in. The trail tells of its start and its end, not of each click."""

    __tablename__ = "staff_session"

    id: Mapped[Serial]
    token_hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    uniquifier: Mapped[str]  # the account's at the start
    stage: Mapped[str]  # second_step | setup | full
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    proved_at: Mapped[datetime]  # when the person last showed who she is
    ended_at: Mapped[datetime | None]


class StaffTry(Base):
    """One try to sign in, counted before it is judged. Account, address and device stand as keyed hashes."""

    __tablename__ = "staff_try"
    __table_args__ = (
        Index("ix_staff_try_account_at", "account", "at"),
        Index("ix_staff_try_address_at", "address", "at"),
    )

    id: Mapped[Serial]
    account: Mapped[str]
    address: Mapped[str]
    device: Mapped[str | None]  # of a browser that this account has signed in from before
    kind: Mapped[str]  # password | code
    at: Mapped[datetime]
    missed: Mapped[bool]


class StaffToken(Base):
    """Something that works once: a link to set up an account, a passkey's challenge."""

    __tablename__ = "staff_token"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"), index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class StaffDraft(Base):
    """A form that was sent after its session had ended, kept for the same person's return."""

    __tablename__ = "staff_draft"

    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), primary_key=True)
    body: Mapped[str] = mapped_column(Text)  # encrypted
    kept_at: Mapped[datetime]
