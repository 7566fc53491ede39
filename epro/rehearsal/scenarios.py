"""What kind of trial is rehearsed: how do patients fare and answer, how well does a text reach them, what breaks?

Shares are of patients or of texts, 0 to 1. Those of texts and receipts are assumed; how patients answer, and what
befalls them, is `analysis.simulation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from analysis.simulation.published import Scenario as Answers

USUAL = {"death": (0, 14), "withdrawal": (0, 3), "surgery": (1, 7), "progression": (1, 14)}
LATE = {"death": (20, 120), "withdrawal": (5, 40), "surgery": (14, 60), "progression": (10, 60)}


@dataclass(frozen=True)
class Scenario:
    """One kind of trial, in the words of the field.

    outages: how many of each kind, spread over the trial, and how long each of them lasts in hours.
    """

    name: str
    title: str
    answers: Answers = "effect"

    wrong_number: float = 0.01  # of patients: a number mistyped at enrolment
    strangers_phone: float = 0.005  # of patients: the number is another person's, who says so
    stops: float = 0.02  # of patients: reply STOP to one of their texts; half of them START again
    replies: float = 0.03  # of texts: answered with another word, or with words of one's own
    miscarries: float = 0.02  # of texts
    never_told: float = 0.005  # of texts: no receipt, whoever asks
    receipt_lost: float = 0.02
    receipt_doubled: float = 0.01
    receipt_late: float = 0.01
    reply_lost: float = 0.005  # of hand-overs: accepted or not, the carrier's reply does not come

    reported_after_days: Mapping[str, tuple[int, int]] = field(default_factory=lambda: USUAL)
    corrected_date: float = 0.03  # of patients: the day of randomisation was entered wrongly
    mistaken_end: float = 0.005  # of patients: recorded as dead by mistake, and taken back
    permission_ends: float = 0.01  # of patients: take back that they may be texted
    pauses: float = 0.05  # of patients: in hospital for a while

    service_outages: int = 1
    service_hours: int = 26
    carrier_outages: int = 1
    carrier_hours: int = 8
    database_outages: int = 1
    database_hours: int = 3


EXPECTED = Scenario("as expected", "Surgery helps; texts arrive; little goes wrong")
SCENARIOS: Mapping[str, Scenario] = {
    one.name: one
    for one in (
        EXPECTED,
        replace(EXPECTED, name="no effect", title="Surgery changes neither progression nor death", answers="null"),
        replace(
            EXPECTED,
            name="effect comes late",
            title="Surgery hastens progression for three months and delays it afterwards",
            answers="non-proportional",
        ),
        replace(
            EXPECTED,
            name="many silent",
            title="Few answer late in the trial, and many stop for good",
            answers="heavy missingness",
        ),
        replace(
            EXPECTED,
            name="health foretells death",
            title="Death follows from the true score, so that answers are missing with a reason",
            answers="shared parameter",
        ),
        replace(
            EXPECTED,
            name="poor reach",
            title="Wrong numbers, phones that texts do not reach, receipts that are lost, patients who reply STOP",
            wrong_number=0.08,
            strangers_phone=0.02,
            stops=0.10,
            miscarries=0.12,
            never_told=0.03,
            receipt_lost=0.10,
            receipt_doubled=0.05,
            receipt_late=0.08,
            reply_lost=0.03,
        ),
        replace(
            EXPECTED,
            name="late reports",
            title="The clinic reports deaths, withdrawals and surgery weeks late, and corrects many dates",
            reported_after_days=LATE,
            corrected_date=0.15,
            mistaken_end=0.02,
        ),
        replace(
            EXPECTED,
            name="outages",
            title="Service, carrier and database are away again and again, up to three days",
            reply_lost=0.02,
            service_outages=6,
            service_hours=72,
            carrier_outages=6,
            carrier_hours=48,
            database_outages=6,
            database_hours=12,
        ),
    )
}
