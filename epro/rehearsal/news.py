"""What does one step of a rehearsal bring, and what is remembered of the steps before?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from epro.store import facts
from epro.store.facts import channels_named
from scheduler.hours import QuietHours


@dataclass(frozen=True)
class Told:
    """An event of a patient as it was made known. `of`: its row; corrects: the row that it replaces or takes back."""

    of: int
    subject: str
    kind: str
    on: date
    value: str | None
    at: datetime
    corrects: int | None


@dataclass(frozen=True)
class Left:
    """A text that the carrier took, beside what the database says of it. None = the database does not know.

    others_failed: whether every other attempt of this text is known not to have arrived. to_in_use: whether the address
    is the one that the patient has now. opens_at, closes_at: of her form.
    """

    key: str
    at: datetime
    zone: str
    quiet: QuietHours | None
    rungs: int
    claimed_at: datetime | None
    others_failed: bool
    has_link: bool
    to_in_use: bool
    opens_at: datetime | None
    closes_at: datetime | None
    completed_at: datetime | None

    @property
    def subject(self) -> str:
        return self.key.split("/")[0]

    @property
    def visit(self) -> str:
        return self.key.split("/")[1]

    @property
    def step(self) -> str:
        return self.key.split("/")[2]

    @property
    def channel(self) -> str:
        return self.key.split("/")[3]

    @property
    def day(self) -> date:
        return self.at.astimezone(ZoneInfo(self.zone)).date()


@dataclass(frozen=True)
class Saved:
    """An answer that a patient was told is saved, beside what is kept. Its repr shows neither."""

    subject: str
    visit: str
    item: str
    is_there: bool


@dataclass(frozen=True)
class News:
    """What one step brought."""

    at: datetime
    left: Sequence[Left] = ()
    told: Sequence[Told] = ()
    saved: Sequence[Saved] = ()
    still_planned: Mapping[str, int] = field(default_factory=dict)  # patient whose end was made known → texts that wait


@dataclass
class Record:
    """What is known from the steps before. A step is judged first, and remembered then."""

    standing: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    left: dict[str, datetime] = field(default_factory=dict)  # key → when
    days: dict[tuple[str, date], str] = field(default_factory=dict)  # patient and local day → key
    of_visit: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def hear(self, told: Sequence[Told]) -> None:
        """What is made known counts at once, for the texts of the same step too."""
        for one in told:
            events = self.standing[one.subject]
            if one.corrects is not None:
                events[:] = [each for each in events if each.of != one.corrects]
            if one.kind != facts.UNDONE:
                events.append(one)

    def remember(self, left: Sequence[Left]) -> None:
        for text in left:
            self.left[text.key] = text.at
            self.days[text.subject, text.day] = text.key
            self.of_visit[text.subject, text.visit].append(text.key)

    def has(self, subject: str, kind: str) -> bool:
        return any(one.kind == kind for one in self.standing[subject])

    def latest(self, subject: str, *kinds: str) -> str | None:
        return next((one.kind for one in reversed(self.standing[subject]) if one.kind in kinds), None)

    def stopped(self, subject: str) -> set[str]:
        stopped: set[str] = set()
        for one in self.standing[subject]:
            if one.kind == facts.OPTED_OUT:
                stopped |= channels_named(one.value)
            elif one.kind == facts.OPTED_IN:
                stopped -= channels_named(one.value)
        return stopped

    def is_paused(self, subject: str, on: date) -> bool:
        until: date | None = None
        for one in self.standing[subject]:
            if one.kind == facts.PAUSED and one.value:
                until = date.fromisoformat(one.value)
            elif one.kind == facts.PAUSE_ENDED:
                until = None
        return until is not None and on < until
