"""The calendar oracle: worked examples, computed twice by independent routes, are planned alike in every column."""

import csv
import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import scheduler
from scheduler.messages import Message, Plan, Sent, Status
from scheduler.schedule import Schedule
from scheduler.visits import anchor_on

FOLDER = Path(os.environ.get("EPRO_ORACLES") or Path(__file__).parents[1] / "oracles")
CASES = FOLDER / "calendar" / "cases.csv"
STEP_KEY = "S/V/step/sms/1"


def cases() -> list[Any]:
    if not CASES.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason="the folder holds no calendar/cases.csv"))]
    with CASES.open(encoding="utf-8", newline="") as file:
        return [pytest.param(row, id=row["case_id"]) for row in csv.DictReader(file)]


@dataclass(frozen=True)
class Case:
    """One row of the file, in the scheduler's terms."""

    row: dict[str, str]

    @property
    def events(self) -> dict[str, Any]:
        return json.loads(self.row["events"] or "{}")

    @property
    def anchors(self) -> dict[str, date]:
        if "corrected_anchor" in self.events:
            day = date.fromisoformat(self.events["corrected_anchor"])
        elif self.row["anchor_date"]:
            day = date.fromisoformat(self.row["anchor_date"])
        else:
            day = anchor_on(instant(self.row["anchor_instant_utc"]), self.row["trial_tz"])
        return {"anchor": day}

    @property
    def now(self) -> datetime | None:
        said = self.row["now_utc"] or self.events.get("at_utc")
        return instant(said) if said else None

    @property
    def history(self) -> list[Sent]:
        sent = self.events.get("already_sent_utc")
        return [Sent(STEP_KEY, instant(sent))] if sent else []

    @property
    def status(self) -> Status:
        ends = [self.events[name] for name in ("death_date", "withdrawal_date") if self.events.get(name)]
        reported = self.events.get("reported_at_utc")
        return Status(
            completed=frozenset({"V"} if self.events.get("completed") else ()),
            ended_on=min(map(date.fromisoformat, ends)) if ends else None,
            ended_reported_at=instant(reported) if reported else None,
        )

    @property
    def schedule(self) -> Schedule:
        """Its shape alone: a case may describe a calendar that a trial file would be refused for."""
        row, following = self.row, self.events.get("next_item")
        visits = {
            "V": visit(row["offset_n"], row["offset_unit"], row["window_before_days"], row["window_after_days"]),
            **({"NEXT": visit(*(following[name] for name in NEXT_ITEM), 0)} if following else {}),
        }
        later = self.events.get("later_step_send_day_offset")
        steps = [step("step", row["send_day_offset"], row["send_local_time"])]
        steps += [step("later", later, row["send_local_time"])] if later is not None else []
        quiet = {"start": row["quiet_start"], "end": row["quiet_end"]} if row["quiet_start"] else {}
        return Schedule.model_validate(
            {
                "anchors": {"anchor": "the day of randomisation"},
                "visit": visits,
                "ladder": {
                    "holiday_policy": row["holiday_policy"],
                    "max_lateness_hours": int(row["max_lateness_hours"]),
                    "resend_after_days": 14,
                    "step": steps,
                },
                "quiet": quiet,
                "texts": {"sv": {"text": "{link}"}},
            }
        )

    def plan(self) -> Plan:
        return scheduler.plan(
            self.schedule,
            self.anchors,
            subject="S",
            zone=self.row["patient_tz"],
            now=self.now,
            history=self.history,
            status=self.status,
        )


NEXT_ITEM = ("offset_n", "offset_unit", "window_before_days")


def visit(n: Any, unit: str, before: Any, after: Any) -> dict[str, Any]:
    return {
        "title": {"sv": "Besök"},
        "month": 0,
        "anchor": "anchor",
        "offset": {"n": int(n), "unit": unit},
        "opens_before": int(before),
        "closes_after": int(after),
        "instruments": ["form"],
    }


def step(code: str, day: Any, time: str) -> dict[str, Any]:
    return {"code": code, "text": "text", "day": int(day), "time": time, "channel": "sms"}


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def written(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def first_step(plan: Plan) -> Message:
    return next(message for message in plan.messages if (message.visit, message.step) == ("V", "step"))


@pytest.mark.parametrize("row", cases())
def test_every_column_of_the_oracle_is_planned(row: dict[str, str]) -> None:
    plan = Case(row).plan()
    visit, message = plan.visits[0], first_step(plan)

    assert {
        "due_date": visit.due_on.isoformat(),
        "open_utc": written(visit.opens_at),
        "close_utc": written(visit.closes_at),
        "planned_send_utc": written(message.send_at),
        "action": message.action,
        "action_utc": written(message.acts_at),
        "response_expected": "yes" if visit.expected else "no",
    } == {name.removeprefix("expected_"): value for name, value in row.items() if name.startswith("expected_")}


@pytest.mark.skipif(not CASES.exists(), reason="the folder holds no calendar/cases.csv")
def test_what_expires_is_never_sent_a_moment_later() -> None:
    """Case S32 again: at 48 hours exactly the text still goes, a microsecond later it does not."""
    with CASES.open(encoding="utf-8", newline="") as file:
        late = next(row for row in csv.DictReader(file) if row["topic"] == "downtime too long")
    limit = instant(late["expected_planned_send_utc"]) + timedelta(hours=int(late["max_lateness_hours"]))

    def action_at(now: datetime) -> str:
        return first_step(Case({**late, "now_utc": now.isoformat()}).plan()).action

    assert action_at(limit) == "send_late"
    assert action_at(limit + timedelta(microseconds=1)) == "expired"
