"""What should the protocol change, from what was seen when it was played?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations

from epro.protocol import Protocol
from epro.rehearsal.cast import Person
from epro.rehearsal.reckoning import Completion, PatientPage
from epro.rehearsal.rehearsing import true_plan
from scheduler.messages import Plan
from scheduler.visits import Visit

FEW_PERCENT = 50
MANY_TEXTS_A_MONTH = 6
EVES = {(12, 24): "Christmas Eve", (12, 25): "Christmas Day", (12, 31): "New Year's Eve", (1, 1): "New Year's Day"}
ANCHORS = ("surgery", "discharge", "progression")


@dataclass(frozen=True)
class Advice:
    """Where in the trial file, what was seen, and what would be better."""

    where: str
    seen: str
    better: str


def advice_of(
    protocol: Protocol, people: Sequence[Person], patients: Sequence[PatientPage], completion: Sequence[Completion]
) -> list[Advice]:
    plans = {person.subject: true_plan(protocol, person) for person in people}
    return [
        *_on_eves(patients),
        *_overlaps(protocol, plans),
        *_nobody_can(protocol, people, plans),
        *_no_moment(plans),
        *_few_come(completion),
        *_long(patients),
        *_crowded(patients),
    ]


def _on_eves(patients: Sequence[PatientPage]) -> Iterator[Advice]:
    """Texts on days on which nobody wants one."""
    found: Counter[tuple[str, str]] = Counter()
    for page in patients:
        for text in page.texts:
            on = date.fromisoformat(text.left[:10]) if text.left else None
            if on is not None and (on.month, on.day) in EVES:
                found[text.step, EVES[on.month, on.day]] += 1
    for (step, eve), n in sorted(found.items()):
        yield Advice(
            f"[ladder] {step}",
            f"{n} texts left on {eve}",
            'Say holiday_policy = "next_workday", or let the step go on another day; the window may leave no other.',
        )


def _overlaps(protocol: Protocol, plans: Mapping[str, Plan]) -> Iterator[Advice]:
    """Two visits of one patient that would be open at once and ask the same: the plan has to cut one of them short."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for plan in plans.values():
        for one, other in combinations(plan.visits, 2):
            shared = set(one.instruments) & set(other.instruments)
            (opens, closes), (other_opens, other_closes) = _window(protocol, one), _window(protocol, other)
            if shared and opens <= other_closes and other_opens <= closes:
                found[one.code, other.code] += 1
    for (first, second), n in sorted(found.items()):
        yield Advice(
            f"[visit.{first}] and [visit.{second}]",
            f"both would be open at once, and ask the same, for {n} of {len(plans)} patients",
            "Narrow opens_before or closes_after, or let them hang on the same anchor.",
        )


def _window(protocol: Protocol, visit: Visit) -> tuple[date, date]:
    """Its first and its last day, as the file says."""
    asked = protocol.schedule.visits[visit.code]
    return visit.due_on - timedelta(days=asked.opens_before), visit.due_on + timedelta(days=asked.closes_after)


def _nobody_can(protocol: Protocol, people: Sequence[Person], plans: Mapping[str, Plan]) -> Iterator[Advice]:
    """A visit that hardly anybody has, or whose window is over before it can be known."""
    for code, visit in protocol.schedule.visits.items():
        having = [person for person in people if any(one.code == code for one in plans[person.subject].visits)]
        if not having:
            yield Advice(
                f"[visit.{code}]",
                f"no patient ever has it: it hangs on {visit.anchor}",
                "Let it hang on an anchor that patients have.",
            )
            continue
        if visit.anchor in ANCHORS and len(having) < len(people):
            yield Advice(
                f"[visit.{code}]",
                f"{len(people) - len(having)} of {len(people)} patients never have it: it hangs on {visit.anchor}",
                "Compare the arms at a visit that every patient has.",
            )
        yield from _over_before(code, having, plans)


def _over_before(code: str, having: Sequence[Person], plans: Mapping[str, Plan]) -> Iterator[Advice]:
    """Closed on the day of randomisation or before, although it counts from it."""
    late = 0
    for person in having:
        visit = next(one for one in plans[person.subject].visits if one.code == code)
        closed_on = (visit.closes_at - timedelta(microseconds=1)).date()
        late += closed_on < person.consented_on
    if late:
        yield Advice(
            f"[visit.{code}]",
            f"for {late} of {len(having)} patients its window is over before they consent",
            "Let it close later, or count it from another day.",
        )


def _no_moment(plans: Mapping[str, Plan]) -> Iterator[Advice]:
    """Steps that the rules leave no moment for, whatever happens to the patient."""
    ruled_out = Counter(
        (text.visit, text.step) for plan in plans.values() for text in plan.messages if not text.send_at
    )
    for (visit, step), n in sorted(ruled_out.items()):
        yield Advice(
            f"[visit.{visit}] and [ladder] {step}",
            f"for {n} of {len(plans)} patients quiet hours, working days and window leave no moment at which it may go",
            "Let the visit open earlier or close later, or send the step at another hour.",
        )


def _few_come(completion: Sequence[Completion]) -> Iterator[Advice]:
    for one in completion:
        if one.percent is not None and one.percent < FEW_PERCENT:
            yield Advice(
                f"[visit.{one.visit}]",
                f"{one.percent} % of the expected forms come",
                "Ask whether it is needed; another reminder, or a call before the window closes, may help.",
            )


def _long(patients: Sequence[PatientPage]) -> Iterator[Advice]:
    longest = Counter(text.step for page in patients for text in page.texts if text.segments > 1)
    for step, n in sorted(longest.items()):
        yield Advice(
            f"[texts] of {step}",
            f"{n} texts took more than one segment, each at the price of a text",
            "Shorten it, and leave out characters beyond the alphabet of texts.",
        )


def _crowded(patients: Sequence[PatientPage]) -> Iterator[Advice]:
    months = Counter((page.subject, text.left[:7]) for page in patients for text in page.texts if text.left)
    crowded = [key for key, n in months.items() if n >= MANY_TEXTS_A_MONTH]
    if crowded:
        subject, month = min(crowded)
        yield Advice(
            "[ladder]",
            f"{len(crowded)} times a patient got {MANY_TEXTS_A_MONTH} texts or more in one month ({subject}, {month})",
            "Send fewer reminders where visits are close together.",
        )
