"""What does the trial office do in mid-trial: amend the file, and look after the record at night?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from epro.acts.amendments import Amendment, amend
from epro.acts.nightly import anchor
from epro.opening import in_force
from epro.protocol import Protocol, protocol_of
from epro.rehearsal.stage import Stage
from epro.store.audit import Actor
from epro.store.database import writing
from epro.versions import BY_AMENDMENT
from questionnaires.located import parse

OFFICE = Actor("rehearsal", "operator", "command")
CLOCK_TIME = re.compile(r"""(\btime\s*=\s*["'])(\d\d):(\d\d)(["'])""")
LATEST_HOUR = 17
ANCHORED_DAYS = 30  # between two nights on which the record is anchored; in life it is every night
AMENDED_AT = 0.4  # of the trial


@dataclass
class Office:
    """The trial office. amended: the file that comes into force in mid-trial; None = no amendment."""

    stage: Stage
    amended: Protocol | None
    first_at: datetime

    def begin(self) -> None:
        span = self.stage.until - self.first_at
        if self.amended is not None:
            on = self.stage.today(self.first_at + span * AMENDED_AT)
            self.stage.at(self.stage.local(on, 16, "amendment"), self._amend)
        for n in range(1, span.days // ANCHORED_DAYS):
            on = self.stage.today(self.first_at + timedelta(days=n * ANCHORED_DAYS))
            self.stage.at(datetime.combine(on, time(1, 30), tzinfo=self.stage.house.protocol.zone), self._anchor)

    def _amend(self, now: datetime) -> None:
        assert self.amended is not None
        from_on = self.stage.today(now) + timedelta(days=1)
        with writing(self.stage.house.engine) as connection:
            amend(connection, Amendment(self.amended, BY_AMENDMENT, from_on), by=OFFICE, now=now, reason="rehearsed")
        self.stage.house = in_force(self.stage.house)
        self.stage.diary.happened["amendments"] += 1

    def _anchor(self, now: datetime) -> None:
        anchor(self.stage.house.engine, self.stage.house.settings.anchors_folder, now)


def amended_of(protocol: Protocol) -> Protocol | None:
    """The same trial with each text an hour later (or earlier, late in the day); None where no text has a time."""
    text = CLOCK_TIME.sub(_an_hour_later, protocol.document.text)
    return None if text == protocol.document.text else protocol_of(parse(text, protocol.document.path))


def _an_hour_later(found: re.Match[str]) -> str:
    before, hour, minute, after = found.groups()
    moved = int(hour) + (1 if int(hour) < LATEST_HOUR else -1)
    return f"{before}{moved:02d}:{minute}{after}"
