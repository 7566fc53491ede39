"""Adverse events as the case report form has them: term, CTCAE grade, serious or not, first and last day.

An event is known again by its patient, term and first day; what a later file says otherwise of it takes its place, and
the difference is listed. One that a later file does not have stays, and is listed: it is taken back by a row that says
so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date

from epro.acts.enrolment import today
from epro.acts.imports.cells import Cells
from epro.acts.imports.files import NEW, Bringing, Kind, Note, Row
from epro.acts.imports.outcomes import AFTER_DEATH, BEFORE_CONSENT, IN_THE_FUTURE
from epro.protocol import CONSENT
from epro.refusals import N_
from epro.store import facts
from epro.store.crf import Event, events_of
from epro.store.facts import Facts
from epro.store.models import AdverseEvent

REQUIRED = ("subject", "term", "grade", "started_on")
OPTIONAL = ("serious", "ended_on", "taken_back")
GRADES = range(1, 6)
DEADLY = 5
LONGEST_TERM = 200
TOLD = ("grade", "serious", "ended_on", "taken_back")
NO_GRADE = N_("A grade of CTCAE is 1, 2, 3, 4 or 5.")
TOO_LONG = N_("Write at most %(longest)s characters.")
ENDS_BEFORE = N_("%(day)s lies before the first day of the event.")
TWICE = N_("Row %(first)s is this event already: the same patient, term and first day.")
WAS = N_("was %(was)s, is now %(now)s.")
NO_DEATH = N_("Grade 5 is a death, and none is recorded.")
NEW_EVENT = N_("%(term)s, grade %(grade)s, from %(day)s.")
NOT_IN_FILE = N_("%(subject)s, %(term)s of %(day)s stands in an earlier file and not in this one; it stays.")


def take(bringing: Bringing, rows: Iterable[Cells]) -> Iterator[Row]:
    recorded = events_of(bringing.connection)
    first: dict[tuple[str, str, date], int] = {}
    new: dict[str, list[Event]] = defaultdict(list)
    for cells in rows:
        event = _event(bringing, cells)
        if event is None:
            continue
        if first.setdefault(event.key, cells.row) != cells.row:
            cells.wrong("term", TWICE, first=first[event.key])
            continue
        before = recorded.get(event.key)
        notes = [_told(event)] if before is None else list(_differences(before, event))
        if notes:
            new[event.subject].append(event)
        if event.grade == DEADLY and facts.DEATH not in bringing.known[event.subject].events:
            notes.append(Note("grade", NO_DEATH))
        made = bringing.row(cells, notes)
        yield Row(made.number, made.subject, NEW, made.notes) if before is None else made
    for subject, events in new.items():
        with bringing.entry_of(subject, "adverse events imported") as opened:
            opened.insert_all(AdverseEvent, [{**asdict(event), "file": bringing.file} for event in events])
    for key, event in recorded.items():
        if key not in first and not event.taken_back:
            about = {"subject": event.subject, "term": event.term, "day": event.started_on}
            bringing.notes.append(Note("", NOT_IN_FILE, about))


def _told(event: Event) -> Note:
    about = {"term": event.term, "grade": event.grade, "day": event.started_on}
    return Note("", NEW_EVENT, about, changes=True)


def _differences(before: Event, event: Event) -> Iterator[Note]:
    for name in TOLD:
        was, now = getattr(before, name), getattr(event, name)
        if was != now:
            yield Note(name, WAS, {"was": _said(was), "now": _said(now)}, changes=True)


def _said(value: object) -> str:
    if value is None:
        return "–"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _event(bringing: Bringing, cells: Cells) -> Event | None:
    known = bringing.patient(cells)
    term = " ".join(cells.text("term", needed=True).split())
    grade = cells.whole("grade", needed=True)
    started_on, ended_on = cells.day("started_on", needed=True), cells.day("ended_on")
    serious, taken_back = cells.flag("serious"), cells.flag("taken_back") or False
    if grade is not None and grade not in GRADES:
        cells.wrong("grade", NO_GRADE)
    if len(term) > LONGEST_TERM:
        cells.wrong("term", TOO_LONG, longest=LONGEST_TERM)
    if known is None or grade is None or started_on is None:
        return None
    _refuse_impossible(bringing, cells, known, started_on, ended_on)
    return None if cells.wrongs else Event(known.subject, term, started_on, grade, serious, ended_on, taken_back)


def _refuse_impossible(bringing: Bringing, cells: Cells, known: Facts, started_on: date, ended_on: date | None) -> None:
    consented_on = known.events[CONSENT].on
    died_on = known.events[facts.DEATH].on if facts.DEATH in known.events else None
    if started_on < consented_on:
        cells.wrong("started_on", BEFORE_CONSENT, day=started_on, consented=consented_on)
    for column, day in (("started_on", started_on), ("ended_on", ended_on)):
        if day and day > today(bringing.protocol, bringing.now):
            cells.wrong(column, IN_THE_FUTURE, day=day)
        elif day and died_on and day > died_on:
            cells.wrong(column, AFTER_DEATH, day=day, died=died_on)
    if ended_on and ended_on < started_on:
        cells.wrong("ended_on", ENDS_BEFORE, day=ended_on)


ADVERSE_EVENTS = Kind("adverse_events", N_("Adverse events"), lambda _: REQUIRED, lambda _: OPTIONAL, take, once=False)
