"""What is known of a patient now, once `people` has gathered what was recorded?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from scheduler.ports import CHANNELS, EMAIL, SMS
from scheduler.waiting import Again, Pause, Sign

CONSENT, RANDOMISATION, SURGERY, PROGRESSION = "consent", "randomisation", "surgery", "progression"
DISCHARGE = "discharge"  # from hospital
DEATH, WITHDRAWAL = "death", "withdrawal"
TEXTS_ALLOWED, TEXTS_REFUSED = "texts_allowed", "texts_refused"
OPTED_OUT, OPTED_IN = "opted_out", "opted_in"
FAILS = {SMS: "sms_fails", EMAIL: "email_fails"}  # what is sent there does not arrive; holds until a new address
SEEN_ALIVE = "seen_alive"
ASKED_LATER = "asked_later"  # to be reminded once more, the day after
NOT_ME, WRONG_NUMBER = "not_me", "wrong_number"  # said by somebody who opened a link
PAUSED, PAUSE_ENDED = "paused", "pause_ended"  # no texts from a day on; value: the first day on which they go again
CONSENTED_ANEW = "consented_anew"  # to an amended trial; value: the version
CALLED = "called"  # by staff; value: what came of it
ANSWERED_ON_THE_PHONE = "answered"
SENT_AGAIN = "sent_again"  # a text that staff asked for; value: the visit
ALERT_RAISED, ALERT_ACKNOWLEDGED, ALERT_ESCALATED = (  # value: rule:visit
    "alert_raised",
    "alert_acknowledged",
    "alert_escalated",
)
UNDONE = "undone"  # the event that it corrects never happened
SIGNS_OF_LIFE = frozenset(
    {CONSENT, RANDOMISATION, SURGERY, DISCHARGE, PROGRESSION, SEEN_ALIVE, ASKED_LATER, CONSENTED_ANEW}
)


@dataclass(frozen=True)
class Happened:
    """One event that stands: neither undone nor replaced by a correction."""

    id: int
    kind: str
    on: date
    reported_at: datetime
    value: str | None
    reason: str | None


@dataclass(frozen=True)
class InUse:
    """An address in use, by its row."""

    id: int
    from_at: datetime


@dataclass(frozen=True)
class Facts:
    """One patient as known now. Holds no address.

    events: the current word on each kind. standing: every event that stands, in the order they were made known.
    reached_from: since when there has been an address. answered_at: when she opened or submitted a form.
    settled: the visits for which nothing more is sent: submitted, or with a reason why they are not answered.
    """

    subject: str
    site: str
    language: str
    zone: str
    enrolled_at: datetime
    strata: Mapping[str, str]
    events: Mapping[str, Happened]
    contacts: Mapping[str, InUse]  # by channel
    settled: frozenset[str] = field(default_factory=frozenset)
    standing: tuple[Happened, ...] = ()
    reached_from: datetime | None = None
    answered_at: tuple[datetime, ...] = ()

    @property
    def anchors(self) -> dict[str, date]:
        """Every dated event may be an anchor; the trial file decides which are."""
        return {kind: event.on for kind, event in self.events.items()}

    @property
    def ended(self) -> Happened | None:
        """Death or withdrawal, whichever day is first."""
        ends = [self.events[kind] for kind in (DEATH, WITHDRAWAL) if kind in self.events]
        return min(ends, key=lambda event: event.on) if ends else None

    @property
    def first_told_of_end_at(self) -> datetime | None:
        ends = [self.events[kind].reported_at for kind in (DEATH, WITHDRAWAL) if kind in self.events]
        return min(ends) if ends else None

    @property
    def ended_at(self) -> datetime | None:
        """The beginning of the day of death or withdrawal, where she lives."""
        return datetime.combine(self.ended.on, time(0), ZoneInfo(self.zone)).astimezone(UTC) if self.ended else None

    @property
    def consented_anew_on(self) -> tuple[date, ...]:
        """The days on which she consented to an amended trial."""
        return tuple(event.on for event in self.standing if event.kind == CONSENTED_ANEW)

    @property
    def recorded_pauses(self) -> tuple[Pause, ...]:
        """The pauses that staff recorded, each up to the day on which it was ended."""
        pauses: list[Pause] = []
        for event in self.standing:
            if event.kind == PAUSED and event.value:
                pauses.append(Pause(event.on, date.fromisoformat(event.value)))
            elif event.kind == PAUSE_ENDED:
                pauses = [replace(one, until_on=min(one.until_on, max(one.from_on, event.on))) for one in pauses]
        return tuple(pauses)

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """With the times before there was a number, or a permission: what fell into them goes once, when there is."""
        return (*self.recorded_pauses, *self._without_number(), *self._without_permission())

    def paused_until(self, on: date) -> date | None:
        """The first day on which texts go again, when they are paused on this day."""
        return max((one.until_on for one in self.recorded_pauses if one.from_on <= on < one.until_on), default=None)

    @property
    def signs(self) -> tuple[Sign, ...]:
        """Every day on which she is known to have been alive."""
        enrolled_on = self.day_of(self.enrolled_at)
        told = (Sign(one.on, self.day_of(one.reported_at)) for one in self.standing if one.kind in SIGNS_OF_LIFE)
        answered = (Sign(on, on) for on in map(self.day_of, self.answered_at))
        return (Sign(enrolled_on, enrolled_on), *told, *answered)

    def day_of(self, at: datetime) -> date:
        """The calendar day where she lives."""
        return at.astimezone(ZoneInfo(self.zone)).date()

    def _without_number(self) -> list[Pause]:
        since = self.reached_from and self.day_of(self.reached_from)
        return [Pause(date.min, since)] if since and since > self.day_of(self.enrolled_at) else []

    def _without_permission(self) -> list[Pause]:
        pauses, refused_on = [], None
        for n, event in enumerate(one for one in self.standing if one.kind in (TEXTS_ALLOWED, TEXTS_REFUSED)):
            day = self.day_of(event.reported_at)
            if event.kind == TEXTS_REFUSED:
                refused_on = refused_on or (day if n else date.min)
            elif refused_on and refused_on < day:
                pauses.append(Pause(refused_on, day))
                refused_on = None
            else:
                refused_on = None
        return pauses

    @property
    def later_on(self) -> date | None:
        """The day for which she asked to be reminded again."""
        asked = self.events.get(ASKED_LATER)
        return asked.on + timedelta(days=1) if asked else None

    @property
    def again(self) -> tuple[Again, ...]:
        """The texts that staff asked to be sent once more, the oldest first."""
        asked = (one for one in self.standing if one.kind == SENT_AGAIN and one.value)
        return tuple(Again(str(one.value), one.reported_at) for one in asked)

    @property
    def last_call(self) -> Happened | None:
        return self.events.get(CALLED)

    @property
    def texts_allowed(self) -> bool:
        return self._latest(TEXTS_ALLOWED, TEXTS_REFUSED) == TEXTS_ALLOWED

    @property
    def stopped(self) -> frozenset[str]:
        """The channels that she ended by STOP, and has not begun again."""
        ended: frozenset[str] = frozenset()
        for event in self.standing:
            if event.kind == OPTED_OUT:
                ended |= channels_named(event.value)
            elif event.kind == OPTED_IN:
                ended -= channels_named(event.value)
        return ended

    @property
    def opted_out(self) -> bool:
        """Whether she ended every channel by which she could be reached."""
        return bool(self.stopped) and self.stopped >= (set(self.contacts) or {SMS})

    @property
    def channels(self) -> frozenset[str]:
        """Those by which she may be reached now, and that are not known to fail."""
        if not self.texts_allowed or self.ended is not None:
            return frozenset()
        return frozenset(channel for channel in self.contacts.keys() - self.stopped if not self.fails(channel))

    @property
    def denied(self) -> str | None:
        """NOT_ME or WRONG_NUMBER, until she has been spoken to or has another number."""
        if SMS not in self.contacts and WRONG_NUMBER in self.events:
            return WRONG_NUMBER
        return NOT_ME if self._latest(NOT_ME, SEEN_ALIVE, CONSENT) == NOT_ME else None

    @property
    def may_be_texted(self) -> bool:
        return bool(self.channels)

    def fails(self, channel: str) -> bool:
        """Whether what is sent to the address in use is known not to arrive."""
        told, in_use = self.events.get(FAILS[channel]), self.contacts.get(channel)
        return told is not None and in_use is not None and told.reported_at >= in_use.from_at

    def with_day(self, kind: str, on: date) -> Facts:
        """The same patient, had this event happened on another day."""
        return replace(self, events={**self.events, kind: replace(self.events[kind], on=on)})

    def _latest(self, *kinds: str) -> str | None:
        known = [kind for kind in kinds if kind in self.events]
        return max(known, key=lambda kind: self.events[kind].id) if known else None


def channels_named(value: str | None) -> frozenset[str]:
    """The channels that a STOP or START speaks of; every one where it names none."""
    return frozenset(value.split(",")) if value else CHANNELS
