"""What must hold at every step of a trial, whatever happens, and which story taught it?

Pure rules over what the carrier took, what was made known of each patient, and what the database says of both. Each
rule names itself in words, and says what it found in a sentence about one text or one form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from epro.rehearsal.news import News, Record
from epro.store import facts
from scheduler.hours import is_quiet
from scheduler.messages import ON_REQUEST

Check = Callable[[Record, News], Iterator[str]]


@dataclass(frozen=True)
class Invariant:
    """A rule by its name, the story that taught it, and how a step is held to it."""

    name: str
    story: str
    check: Check = field(repr=False)


def to_the_dead(record: Record, news: News) -> Iterator[str]:
    yield from (f"{text.key} left" for text in news.left if record.has(text.subject, facts.DEATH))


def to_the_withdrawn(record: Record, news: News) -> Iterator[str]:
    yield from (f"{text.key} left" for text in news.left if record.has(text.subject, facts.WITHDRAWAL))


def after_a_stop(record: Record, news: News) -> Iterator[str]:
    yield from (f"{text.key} left" for text in news.left if text.channel in record.stopped(text.subject))


def without_permission(record: Record, news: News) -> Iterator[str]:
    for text in news.left:
        if record.latest(text.subject, facts.TEXTS_ALLOWED, facts.TEXTS_REFUSED) != facts.TEXTS_ALLOWED:
            yield f"{text.key} left"


def in_a_pause(record: Record, news: News) -> Iterator[str]:
    yield from (f"{text.key} left" for text in news.left if record.is_paused(text.subject, text.day))


def two_a_day(record: Record, news: News) -> Iterator[str]:
    days = dict(record.days)
    for text in news.left:
        other = days.get((text.subject, text.day))
        if other is not None and other != text.key:
            yield f"{other} and {text.key} left on {text.day}"
        days[text.subject, text.day] = text.key


def at_night(record: Record, news: News) -> Iterator[str]:
    for text in news.left:
        if is_quiet(text.at, text.zone, text.quiet):
            yield f"{text.key} left at {text.at.astimezone(ZoneInfo(text.zone)):%H:%M}"


def twice(record: Record, news: News) -> Iterator[str]:
    seen = set(record.left)
    for text in news.left:
        if text.key in seen and not text.others_failed:
            yield f"the carrier took {text.key} again"
        seen.add(text.key)


def more_than_the_ladder(record: Record, news: News) -> Iterator[str]:
    """A date that was corrected far may let a step go again, under another copy; a reminder asked for is her own."""
    for text in news.left:
        copy = text.key.rpartition("/")[2]
        now = (other.key for other in news.left if (other.subject, other.visit) == (text.subject, text.visit))
        sent = {key for key in (*record.of_visit[text.subject, text.visit], *now) if key.endswith(f"/{copy}")}
        steps = {key.split("/")[2] for key in sent} - {ON_REQUEST}
        if len(steps) > text.rungs:
            yield f"{text.subject} got {len(steps)} texts for {text.visit}, whose ladder has {text.rungs} steps"


def outside_its_window(record: Record, news: News) -> Iterator[str]:
    for text in news.left:
        if text.opens_at is None or text.closes_at is None or not text.opens_at <= text.at < text.closes_at:
            yield f"{text.key} left while its form was not open"


def for_a_form_sent_in(record: Record, news: News) -> Iterator[str]:
    for text in news.left:
        if text.completed_at is not None and text.completed_at < text.at:
            yield f"{text.key} left after the form was sent in"


def without_its_entry(record: Record, news: News) -> Iterator[str]:
    for text in news.left:
        if text.claimed_at is None or text.claimed_at > text.at or not text.has_link:
            yield f"{text.key} left before the ledger said that it would"


def to_another_address(record: Record, news: News) -> Iterator[str]:
    yield from (f"{text.key} went to an address that is not in use" for text in news.left if not text.to_in_use)


def an_answer_lost(record: Record, news: News) -> Iterator[str]:
    for one in news.saved:
        if not one.is_there:
            yield f"{one.item} of {one.subject} at {one.visit} was said to be saved, and is not there"


def an_answer_after_the_end(record: Record, news: News) -> Iterator[str]:
    """The link is closed from the moment on at which the end is made known; what is told in this step comes first."""
    ended = {one.subject for one in news.told if one.kind in (facts.DEATH, facts.WITHDRAWAL)}
    for one in news.saved:
        is_over = record.has(one.subject, facts.DEATH) or record.has(one.subject, facts.WITHDRAWAL)
        if is_over and one.subject not in ended:
            yield f"{one.item} of {one.subject} at {one.visit} was taken after the end was made known"


def waiting_after_the_end(record: Record, news: News) -> Iterator[str]:
    for subject, waiting in news.still_planned.items():
        if waiting:
            yield f"{waiting} texts of {subject} wait to be sent"


AT_EVERY_STEP: tuple[Invariant, ...] = (
    Invariant(
        "No text to the dead",
        "Locked patients of two systems still got invitations; a text to the dead reaches the family.",
        to_the_dead,
    ),
    Invariant(
        "No text to those who have withdrawn",
        "Patients who had withdrawn still got the invitations that were queued before.",
        to_the_withdrawn,
    ),
    Invariant(
        "No text after STOP",
        "STOP blocked the number at the carrier while the study kept sending, and the other channel went on.",
        after_a_stop,
    ),
    Invariant(
        "No text without permission",
        "A reminder by text needs the patient's permission, with a date, and ends with it.",
        without_permission,
    ),
    Invariant(
        "No text in a pause",
        "Who is in hospital is not reminded; texts rest until the day given.",
        in_a_pause,
    ),
    Invariant(
        "At most one text a day",
        "A resend loop whose next attempt lay beyond the end date: 96 attempts to one person.",
        two_a_day,
    ),
    Invariant(
        "No text at night",
        "A change of the clock moved 21:00 to 22:00; notices fired in the server's zone, or at 08:00 of another.",
        at_night,
    ),
    Invariant(
        "No text twice",
        "Four workers sent each mail four times; a process killed between sending and noting it sent again.",
        twice,
    ),
    Invariant(
        "No more texts than the ladder has steps",
        "A blank interval meant hourly until answered; a resend restarted the whole cascade.",
        more_than_the_ladder,
    ),
    Invariant(
        "No text for a form that is not open",
        "Queued invitations kept their old date for months after the date of randomisation had moved.",
        outside_its_window,
    ),
    Invariant(
        "No text for a form that is sent in",
        "A reply was not marked done while the server was away, so that reminders went on.",
        for_a_form_sent_in,
    ),
    Invariant(
        "No text without its entry, made first",
        "Sent, and then noted: 49 of 400 went twice under 71 kills. The intent is kept before the act.",
        without_its_entry,
    ),
    Invariant(
        "No text to an address that is not hers now",
        "Queued invitations keep what they were queued with, whatever is corrected afterwards.",
        to_another_address,
    ),
    Invariant(
        "Every acknowledged answer is there",
        "About 4,200 accepted calls were lost that were held in memory only; answers lost when a cache was cleared.",
        an_answer_lost,
    ),
    Invariant(
        "A link opens nothing after death or withdrawal",
        "The link that is in her phone must show a closed page within a minute of the report.",
        an_answer_after_the_end,
    ),
    Invariant(
        "Nothing waits to be sent after death or withdrawal",
        "The page of who is stopped must list no text that waits, also with a send in flight.",
        waiting_after_the_end,
    ),
)


def breaches(record: Record, news: News) -> Iterator[tuple[Invariant, str]]:
    """Every rule that this step breaks, and how. The step is remembered afterwards."""
    record.hear(news.told)
    for invariant in AT_EVERY_STEP:
        for sentence in invariant.check(record, news):
            yield invariant, sentence
    record.remember(news.left)
