"""Do the sections of a schedule agree with each other? What one section cannot see of itself is refused here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from itertools import combinations, pairwise
from string import Formatter
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from scheduler.replies import Understood, conflicts
from scheduler.texts import SUBJECT
from scheduler.visits import due_on

if TYPE_CHECKING:
    from scheduler.schedule import Offset, Schedule, Visit

KeyPath = tuple[str | int, ...]
Fault = tuple[KeyPath, str, str]  # where, what is wrong, what would be right
FIELDS = frozenset({"link", "phone", "code"})  # what a text may hold; see `scheduler.texts`


def refuse_disagreements(schedule: Schedule) -> None:
    """Raises pydantic's ValidationError with every fault, each under its key path."""
    rules = (
        *(_unknown_anchors, _ladder_order, _ladder_in_window, _overlaps, _missing_texts, _text_fields),
        *(_missing_subjects, _unclear_replies),
    )
    faults = [fault for rule in rules for fault in rule(schedule)]
    if faults:
        raise ValidationError.from_exception_data("Schedule", [_line_error(*fault) for fault in faults])


def _line_error(where: KeyPath, what: str, cure: str) -> InitErrorDetails:
    words: dict[str, Any] = {"what": what, "cure": cure}
    return InitErrorDetails(type=PydanticCustomError("schedule", "{what}", words), loc=where, input=None)


def _unknown_anchors(schedule: Schedule) -> Iterator[Fault]:
    for code, visit in schedule.visits.items():
        if visit.anchor not in schedule.anchors:
            known = ", ".join(schedule.anchors) or "none yet"
            what = f"{code} hangs on the anchor {visit.anchor!r}, which [anchors] does not name"
            yield ("visit", code, "anchor"), what, f"Name it there, or take one of them: {known}."


def _ladder_order(schedule: Schedule) -> Iterator[Fault]:
    steps = schedule.ladder.steps
    for n, (earlier, later) in enumerate(pairwise(steps), start=1):
        if later.day <= earlier.day:
            what = f"step {later.code} goes on day {later.day}, no later than {earlier.code} on day {earlier.day}"
            yield ("ladder", "step", n, "day"), what, f"Let it go on day {earlier.day + 1} or later."
    for (_, first), (n, second) in combinations(enumerate(steps), 2):
        if first.code == second.code:
            yield ("ladder", "step", n, "code"), f"two steps are called {second.code}", "Give each its own code."


def _ladder_in_window(schedule: Schedule) -> Iterator[Fault]:
    for n, step in enumerate(schedule.ladder.steps):
        for code, visit in schedule.visits.items():
            where: KeyPath = ("ladder", "step", n, "day")
            if step.day > visit.closes_after:
                after = visit.closes_after
                what = f"step {step.code} goes {step.day} days after the due day, but {code} closes after {after}"
                yield where, what, f"Send it earlier ([ladder]) or let [visit.{code}] close later."
            if -step.day > visit.opens_before:
                before = visit.opens_before
                what = f"step {step.code} goes {-step.day} days before the due day, but {code} opens {before} before"
                yield where, what, f"Send it later ([ladder]) or let [visit.{code}] open earlier."


def _overlaps(schedule: Schedule) -> Iterator[Fault]:
    for (code, visit), (other_code, other) in combinations(schedule.visits.items(), 2):
        shared = sorted(set(visit.instruments) & set(other.instruments))
        if shared and visit.anchor == other.anchor and _windows_may_meet(visit, other):
            what = f"{other_code} may be open at the same time as {code}, and both ask {shared[0]}"
            yield ("visit", other_code), what, "Narrow opens_before or closes_after until the windows are apart."


def _windows_may_meet(one: Visit, other: Visit) -> bool:
    """Whether two visits of one anchor share a day, whichever day the anchor is."""
    return any(
        due - one.opens_before <= other_due + other.closes_after
        and other_due - other.opens_before <= due + one.closes_after
        for due, other_due in zip(_due_days(one.offset), _due_days(other.offset), strict=True)
    )


@cache
def _due_days(offset: Offset) -> tuple[int, ...]:
    """The due day from each anchor day that may tell: around every turn of a month, with a leap year in reach."""
    turns = (date(year, month, 1) for year in range(2025, 2029) for month in range(1, 13))
    return tuple(due_on(turn + timedelta(days=shift), offset).toordinal() for turn in turns for shift in range(-4, 1))


def _missing_texts(schedule: Schedule) -> Iterator[Fault]:
    if not schedule.texts:
        yield ("texts",), "there are no texts", 'Add them by language and step: sv.invite = "… {link} …".'
    for language, texts in schedule.texts.items():
        for text in dict.fromkeys(step.text for step in schedule.ladder.steps):
            if text not in texts:
                yield (
                    ("texts", language),
                    f"the text {text!r} is missing in {language}",
                    f'Add {language}.{text} = "… {{link}} …".',
                )


def _text_fields(schedule: Schedule) -> Iterator[Fault]:
    for language, texts in schedule.texts.items():
        for code, words in texts.items():
            if code == SUBJECT:
                continue
            where: KeyPath = ("texts", language, code)
            try:
                fields = {field for _, field, _, _ in Formatter().parse(words) if field is not None}
            except ValueError:
                yield (
                    where,
                    f"a brace is left open in {language}.{code}",
                    "Braces stand around link, phone or code only.",
                )
                continue
            for field in sorted(fields - FIELDS):
                yield (
                    where,
                    f"{language}.{code} asks for {{{field}}}, which nobody fills in",
                    "Use {link}, {phone} and {code} alone.",
                )
            if "link" not in fields:
                yield where, f"{language}.{code} holds no link", "Put {link} where the address of the form belongs."


def _missing_subjects(schedule: Schedule) -> Iterator[Fault]:
    """A mail has a subject line, the same words to everybody; it is no text of a step."""
    for n, step in enumerate(schedule.ladder.steps):
        if step.text == SUBJECT:
            what = f"step {step.code} has the text {SUBJECT!r}, which is the subject line of mails"
            yield ("ladder", "step", n, "text"), what, "Give the step words of its own under [texts]."
    for language, texts in schedule.texts.items():
        if schedule.uses_email and SUBJECT not in texts:
            what = f"the ladder uses mails, and {language} has no subject line for them"
            yield ("texts", language), what, f'Add {language}.{SUBJECT} = "…", neutral words without a link.'
        if set("{}") & set(texts.get(SUBJECT, "")):
            what = f"{language}.{SUBJECT} has braces, and nothing is filled in there"
            yield ("texts", language, SUBJECT), what, "Write the words alone."


def _unclear_replies(schedule: Schedule) -> Iterator[Fault]:
    for language, word_lists in schedule.replies.items():
        where: KeyPath = ("replies", language)
        if not word_lists.get(Understood.STOP):
            what = f"no word of {language} means {Understood.STOP}: nobody who answers in it could end the texts"
            yield where, what, f'Add {Understood.STOP} = ["…"].'
        if Understood.OTHER in word_lists:
            what = f"{Understood.OTHER} is what no word means"
            yield (*where, Understood.OTHER.value), what, "Take it away."
    for language, meaning, word, already in conflicts(schedule.replies):
        what = (
            f"{word!r} means {meaning} here, and {already} elsewhere or to the carrier"
            if already
            else f"{word!r} has no letter or digit"
        )
        yield ("replies", language, meaning.value), what, "Let each word mean one thing, and take it away here."
