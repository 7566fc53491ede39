"""Which channel does a step go by, and does one that is out of order leave the other alone?"""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

import scheduler
from scheduler.carriers.by_channel import ByChannel
from scheduler.dispatch import tick
from scheduler.messages import Message, Sent, Status
from scheduler.ports import Accepted, CannotTell, Letter, Receipt, ReceiptStatus, Refused, Trace, Unknown
from scheduler.reconciling import reconcile
from scheduler.schedule import Schedule
from tests.scheduler.house import (
    DUE,
    EARLY,
    RANDOMISED,
    ZONE,
    Patients,
    Pen,
    Wire,
    ladder,
    schedule,
    sections,
    step,
)

PHONE_ALONE, MAIL_ALONE = frozenset({"sms"}), frozenset({"email"})
TEXTS = {"sv": {"invite": "Hej! {link}", "reminder": "Hej igen! {link}", "subject": "Ett formulär"}}


def with_mails(**changes: Any) -> Schedule:
    steps = ladder(step("invite", 0), step("reminder", 3), when_phone_fails="email")
    return schedule(**{"texts": TEXTS, "ladder": steps, **changes})


def planned(one: Schedule, status: Status, now: datetime | None = None, history: list[Sent] | None = None) -> Any:
    plan = scheduler.plan(
        one, {"randomisation": RANDOMISED}, subject="A", zone=ZONE, now=now, history=history or [], status=status
    )
    return plan.messages


def told(messages: list[Message]) -> list[tuple[str, str]]:
    return [(message.key, message.action) for message in messages]


def test_a_phone_that_works_is_texted_and_gets_no_mail() -> None:
    assert told(planned(with_mails(), Status())) == [("A/M1/invite/sms/1", "send"), ("A/M1/reminder/sms/1", "send")]


def test_where_no_sms_reaches_her_each_step_goes_as_a_mail_at_the_same_hour() -> None:
    texts, mails = planned(with_mails(), Status()), planned(with_mails(), Status(channels=MAIL_ALONE))

    assert told(mails) == [("A/M1/invite/email/1", "send"), ("A/M1/reminder/email/1", "send")]
    assert [mail.send_at for mail in mails] == [text.send_at for text in texts]


def test_a_ladder_that_names_nothing_instead_leaves_her_to_the_nurse() -> None:
    assert planned(schedule(), Status(channels=MAIL_ALONE)) == ()


def test_who_has_neither_is_sent_nothing() -> None:
    assert planned(with_mails(), Status(channels=frozenset())) == ()


def test_a_step_that_names_mails_goes_by_them_alone() -> None:
    mail = {**step("reminder", 3), "channel": "email"}
    one = with_mails(ladder=ladder(step("invite", 0), mail))

    assert told(planned(one, Status())) == [("A/M1/invite/sms/1", "send"), ("A/M1/reminder/email/1", "send")]
    assert told(planned(one, Status(channels=PHONE_ALONE))) == [("A/M1/invite/sms/1", "send")]


def test_a_text_refused_at_its_hour_goes_as_a_mail_at_once() -> None:
    now = DUE + timedelta(minutes=1)

    first = planned(with_mails(), Status(channels=MAIL_ALONE), now=now)[0]

    assert (first.key, first.action, first.acts_at) == ("A/M1/invite/email/1", "send_late", now)


def test_a_step_that_left_by_sms_does_not_leave_again_as_a_mail() -> None:
    history = [Sent("A/M1/invite/sms/1", DUE)]
    for later in (timedelta(hours=1), timedelta(days=1)):
        messages = planned(with_mails(), Status(channels=MAIL_ALONE), now=DUE + later, history=history)

        assert told(messages) == [("A/M1/invite/sms/1", "already_sent"), ("A/M1/reminder/email/1", "send")]


def test_a_step_that_moved_far_may_go_again_by_the_other_channel() -> None:
    history = [Sent("A/M1/invite/sms/1", DUE)]
    plan = scheduler.plan(
        with_mails(),
        {"randomisation": date(2027, 3, 20)},
        subject="A",
        zone=ZONE,
        now=DUE + timedelta(days=1),
        history=history,
        status=Status(channels=MAIL_ALONE),
    )

    assert told(list(plan.messages))[0] == ("A/M1/invite/email/1", "send")


MISCARRIED = Sent("A/M1/invite/sms/1", DUE, failed=True)


def test_a_step_whose_text_did_not_arrive_goes_as_a_mail_on_the_day_after() -> None:
    first, second = planned(with_mails(), Status(channels=MAIL_ALONE), DUE + timedelta(hours=1), [MISCARRIED])

    assert (first.key, first.action, first.send_at) == ("A/M1/invite/email/1", "send", DUE + timedelta(days=1))
    assert (second.key, second.action) == ("A/M1/reminder/email/1", "send")


def test_a_step_whose_text_did_not_arrive_is_repeated_once() -> None:
    history = [MISCARRIED, Sent("A/M1/invite/email/1", DUE + timedelta(days=1))]

    first = planned(with_mails(), Status(channels=MAIL_ALONE), DUE + timedelta(days=2), history)[0]

    assert (first.key, first.action) == ("A/M1/invite/email/1", "already_sent")


@pytest.mark.parametrize(
    ("one", "status"),
    [
        pytest.param(with_mails(), Status(), id="the phone works again"),
        pytest.param(with_mails(), Status(channels=MAIL_ALONE, completed=frozenset({"M1"})), id="she has answered"),
    ],
)
def test_a_step_whose_text_did_not_arrive_is_not_repeated_where(one: Schedule, status: Status) -> None:
    first = planned(one, status, DUE + timedelta(hours=1), [MISCARRIED])[0]

    assert (first.key, first.action) == ("A/M1/invite/sms/1", "already_sent")


def test_a_step_whose_text_did_not_arrive_gives_way_to_the_next_step_of_that_day() -> None:
    the_last_evening = Sent("A/M1/invite/sms/1", DUE + timedelta(days=2), failed=True)

    mails = planned(with_mails(), Status(channels=MAIL_ALONE), DUE + timedelta(days=2, hours=1), [the_last_evening])

    assert told(mails) == [("A/M1/invite/email/1", "superseded"), ("A/M1/reminder/email/1", "send")]


@pytest.mark.parametrize(("said", "mails_left"), [("undelivered", [0, 1, 0]), ("delivered", [0, 0, 0])])
def test_a_text_is_repeated_as_a_mail_on_the_day_after_where_its_receipt_says_that_it_did_not_arrive(
    engine: Engine, said: ReceiptStatus, mails_left: list[int]
) -> None:
    patients = Patients(engine, with_mails())
    patients.enrol("A", EARLY)
    texts, mails = Wire(), Wire()
    both, pen = ByChannel({"sms": texts, "email": mails}), MarkedPen(patients)
    tick(engine, DUE, pen, both)
    with engine.begin() as connection:
        scheduler.receive(connection, Receipt(texts.took[0], None, said), DUE)
    patients.status["A"] = Status(channels=MAIL_ALONE)
    patients.replan(DUE, "A")

    left = [tick(engine, DUE + timedelta(days=day), pen, both).accepted for day in (0, 1, 2)]

    assert (left, len(texts.took), len(mails.took)) == (mails_left, 1, sum(mails_left))


def test_mails_without_a_subject_line_are_refused() -> None:
    with pytest.raises(ValidationError, match="no subject line"):
        Schedule.of(sections(ladder=ladder(step("invite", 0), step("reminder", 3), when_phone_fails="email")))


def letter(channel: str) -> Letter:
    return Letter("to", "words", DUE, channel)


def test_each_letter_goes_by_the_carrier_of_its_channel_and_waits_where_there_is_none() -> None:
    texts, mails = Wire(), Wire(lists=False)
    both = ByChannel({"sms": texts, "email": mails})

    both.send(letter("sms"), "a" * 32)
    both.send(letter("email"), "b" * 32)

    assert (texts.took, mails.took) == (["a" * 32], ["b" * 32])
    assert isinstance(both.find(Trace("to", "0", "sms"), "a" * 32, DUE), Accepted)
    assert both.find(Trace("to", "0", "email"), "b" * 32, DUE) == CannotTell()
    assert ByChannel({"sms": texts}).send(letter("email"), "c" * 32) == Refused(None, "stop_sender")


class MarkedPen(Pen):
    """A writer whose letters carry the channel of their message."""

    def _letter(self, connection: Any, message: Any, now: datetime) -> Any:
        made = super()._letter(connection, message, now)
        if isinstance(made, Letter):
            self.traces[message.key] = Trace("to", self.traces[message.key].link_hash, message.channel)
            return Letter(made.to, made.body, made.valid_until, message.channel)
        return made


def mixed(engine: Engine, *by_mail: str, of: str = "ABCD") -> Patients:
    patients = Patients(engine, with_mails(), status={subject: Status(channels=MAIL_ALONE) for subject in by_mail})
    for subject in of:
        patients.enrol(subject, EARLY)
    return patients


def test_a_mail_server_that_is_out_of_order_stops_no_text(engine: Engine) -> None:
    patients, texts = mixed(engine, "A", "B"), Wire()
    both = ByChannel({"sms": texts, "email": Wire([Refused(535, "stop_sender")])})

    done = tick(engine, DUE, MarkedPen(patients), both)

    assert (done.accepted, done.put_back, done.stopped) == (2, 2, 535)
    assert {subject: patients.states(subject)["invite/1"] for subject in "ABCD"} == {
        **dict.fromkeys("AB", "planned"),
        **dict.fromkeys("CD", "accepted"),
    }


def test_an_unknown_mail_is_never_sent_again_and_goes_to_a_person(engine: Engine) -> None:
    patients, mails = mixed(engine, "A", of="A"), Wire([Unknown()], lists=False)
    both, pen = ByChannel({"email": mails}), MarkedPen(patients)

    tick(engine, DUE, pen, both)
    for minutes in (1, 3, 10, 60):
        reconcile(engine, DUE + timedelta(minutes=minutes), pen, both)
        tick(engine, DUE + timedelta(minutes=minutes), pen, both)

    assert patients.states("A")["invite/1"] == "given_up"
    assert len(mails.took) == 1
