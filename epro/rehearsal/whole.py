"""What must hold of everything that was played, whenever it is looked at as a whole?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, func, select

from epro.acts.replanning import differing
from epro.assessments import state_of
from epro.house import House
from epro.queries.monitoring import completion
from epro.queries.verification import verify
from epro.queries.worklist import worklist
from epro.rehearsal.carrier import RehearsalCarrier
from epro.rehearsal.stage import Diary
from epro.store import anchors, people
from epro.store.models import Answer, Assessment, Form, Patient, never_planned
from epro.store.standing import has_an_answer
from scheduler import arrows
from scheduler.tables import attempt, message

BEFORE_SYSTEM = "before_system"
OVER = ("completed", "closed_unfinished", "missed", "excused")
LEFT_STATES = (arrows.ACCEPTED, arrows.DELIVERED, arrows.UNDELIVERED, arrows.DELIVERY_UNKNOWN)
STANDING = (message.c.key, message.c.state)


@dataclass(frozen=True)
class Whole:
    """Everything at one moment: the database, and what the carrier and the patients know apart from it."""

    connection: Connection
    house: House
    carrier: RehearsalCarrier
    diary: Diary
    now: datetime


Check = Callable[[Whole], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """What must hold, and the story that taught it."""

    name: str
    story: str


@dataclass(frozen=True)
class WholeInvariant(Rule):
    check: Check = field(repr=False)


PLAN = Rule(
    "The plan made anew is the ledger",
    "Re-evaluation did not repair what was queued; weekly events vanished for some patients.",
)
CHAIN = Rule(
    "Each entry of the record follows the one before",
    "Eight writers at once: of 1,200 entries 952 did not follow; a tail that was cut off was not missed.",
)
RECORD = Rule(
    "The record verifies, and every row has its entry",
    "A row that nobody's entry tells of: triggers that a replacing insert went round.",
)


def plan_is_not_the_ledger(
    connection: Connection, house: House, now: datetime, subjects: Sequence[str] | None = None
) -> Iterator[str]:
    """subjects: whose plans are made anew; None = everybody's."""
    for subject in differing(connection, house.protocol, now, subjects):
        yield f"the plan of {subject} made anew is not what is written"


def carrier_took_what_nobody_sent(whole: Whole) -> Iterator[str]:
    """Both ways: every text the carrier took has its attempt, and every text that counts as taken was."""
    tried = whole.connection.execute(
        select(attempt.c.id, attempt.c.token, attempt.c.carrier_ref, message.c.latest_attempt, *STANDING).join(
            message, message.c.id == attempt.c.message
        )
    ).all()
    known = {name for row in tried for name in (row.token, row.carrier_ref)}
    for token in whole.carrier.taken.keys() - known - whole.diary.unplaced:
        yield f"the carrier took a text at {whole.carrier.taken[token].at:%Y-%m-%d %H:%M} that the ledger does not know"
    for row in tried:
        counts = row.id == row.latest_attempt and row.state in LEFT_STATES
        if counts and not {row.token, row.carrier_ref} & whole.carrier.taken.keys():
            yield f"{row.key} counts as {row.state}, and the carrier never took it"


def acknowledged_answers_missing(whole: Whole) -> Iterator[str]:
    rows = whole.connection.execute(
        select(Assessment.subject, Assessment.visit, Form.instrument, Answer.item, Answer.value, Answer.text)
        .join(Form, Form.id == Answer.form)
        .join(Assessment, Assessment.id == Form.assessment)
    )
    there = {tuple(row) for row in rows}
    for one in whole.diary.kept:
        if (one.subject, one.visit, one.instrument, one.item, one.value, one.text) not in there:
            yield f"{one.item} of {one.subject} at {one.visit} was said to be saved, and is not there"


def forms_sent_in_missing(whole: Whole) -> Iterator[str]:
    done = select(Assessment.subject, Assessment.visit).where(Assessment.completed_at.is_not(None))
    completed = {(row.subject, row.visit) for row in whole.connection.execute(done)}
    for subject, visit in sorted(whole.diary.sent_in - completed):
        yield f"{visit} of {subject} was said to be sent, and is open"
    for subject, visit in sorted(completed - whole.diary.sent_in):
        yield f"{visit} of {subject} is sent in, and nobody was thanked for it"


def counts_do_not_add_up(whole: Whole) -> Iterator[str]:
    """The desk's table, against each form judged by itself; and its sums, against its cells."""
    table = completion(whole.connection, whole.house.protocol, whole.now)
    counted = _by_hand(whole)
    for visit in table.visits:
        for site in table.sites:
            cell = table.at(visit, site)
            mine = tuple(counted[visit, site, what] for what in ("expected", "complete", "unfinished"))
            if (cell.expected, cell.complete, cell.unfinished) != mine:
                yield f"{visit} at {site}: the desk counts {cell}, form by form it is {mine}"
    cells = table.cells.values()
    if table.total.expected != sum(cell.expected for cell in cells):
        yield "the total of the desk's table is not the sum of its cells"


def _by_hand(whole: Whole) -> Counter[tuple[str, str, str]]:
    known = people.facts_of(whole.connection)
    counted: Counter[tuple[str, str, str]] = Counter()
    rows = whole.connection.execute(
        select(Assessment.__table__, Patient.site, has_an_answer().label("answered"))
        .join(Patient, Patient.subject == Assessment.subject)
        .where(~never_planned())
    )
    for row in rows:
        patient = known[row.subject]
        state = state_of(row, whole.now, patient.enrolled_at, patient.ended_at)
        if not row.expected or state not in OVER:
            continue
        counted[row.visit, patient.site, "expected"] += 1
        if row.answered:
            counted[row.visit, patient.site, "complete" if row.completed_at is not None else "unfinished"] += 1
    return counted


def record_does_not_verify(connection: Connection, house: House) -> Iterator[str]:
    """The whole trail, its values, its anchors, and every row against them; once, at the end."""
    yield from verify(connection, anchors.read(house.settings.anchors_folder)).faults


def silent_to_the_nurse(whole: Whole) -> Iterator[str]:
    """Whoever no text can reach is on the nurse's list, as long as a form of hers waits."""
    lists = worklist(whole.connection, whole.house.protocol, whole.now)
    told = {one.form.subject for one in lists.unreachable}
    known = people.facts_of(whole.connection, {row.subject for row in lists.overdue})
    for row in lists.overdue:
        patient = known[row.subject]
        if row.started_at is None and not patient.channels and row.subject not in told:
            yield f"no text reaches {row.subject}, whose {row.visit} is overdue, and the nurse is not told"


def waiting_after_the_end(whole: Whole) -> Iterator[str]:
    planned = select(message.c.subject, func.count()).where(message.c.state == arrows.PLANNED)
    ended = {subject for subject, known in people.facts_of(whole.connection).items() if known.ended is not None}
    for subject, waiting in whole.connection.execute(planned.group_by(message.c.subject)):
        if subject in ended:
            yield f"{waiting} texts of {subject} wait to be sent"


AS_A_WHOLE: tuple[WholeInvariant, ...] = (
    WholeInvariant(
        PLAN.name,
        PLAN.story,
        lambda whole: plan_is_not_the_ledger(whole.connection, whole.house, whole.now),
    ),
    WholeInvariant(
        "The carrier and the ledger tell the same",
        "An SMS status was known only the next day, and what had left was asked of nobody.",
        carrier_took_what_nobody_sent,
    ),
    WholeInvariant(
        "Every answer ever acknowledged is kept",
        "A later identical survey overwrote the older one.",
        acknowledged_answers_missing,
    ),
    WholeInvariant(
        "A form is sent in once, and its patient was thanked",
        "One submission became ten on a slow server; a second person was told that the form was filled in already.",
        forms_sent_in_missing,
    ),
    WholeInvariant(
        "The counts of compliance add up",
        "Received was counted against other denominators on the desk and in the report.",
        counts_do_not_add_up,
    ),
    WholeInvariant(
        "Whom no text reaches is on the nurse's list",
        "A patient without a phone number was silently skipped, and never caught up.",
        silent_to_the_nurse,
    ),
    WholeInvariant(
        "Nothing waits for those who left the trial",
        "Patients who had withdrawn still got the invitations that were queued before.",
        waiting_after_the_end,
    ),
)


def whole_breaches(whole: Whole) -> Iterator[tuple[WholeInvariant, str]]:
    for invariant in AS_A_WHOLE:
        for sentence in invariant.check(whole):
            yield invariant, sentence
