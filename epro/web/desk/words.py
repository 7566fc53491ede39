"""In which words does the desk say a state, a reason and an instant?"""

from __future__ import annotations

from datetime import date, datetime

from babel import Locale
from flask_babel import format_date, format_timedelta, get_locale, gettext, lazy_gettext
from markupsafe import Markup

from epro import assessments
from epro.protocol import CONSENT, RANDOMISATION
from epro.queries import reach
from epro.store import facts
from epro.web.desk.gate import may, pages
from epro.web.house import house
from epro.web.house import now as this_moment
from scheduler import arrows

STATES = {
    assessments.NOT_DUE: lazy_gettext("not yet open"),
    assessments.OPEN: lazy_gettext("open"),
    assessments.STARTED: lazy_gettext("begun"),
    assessments.COMPLETED: lazy_gettext("complete"),
    assessments.CLOSED_UNFINISHED: lazy_gettext("closed unfinished"),
    assessments.MISSED: lazy_gettext("missed"),
    assessments.EXCUSED: lazy_gettext("excused"),
    assessments.BEFORE_SYSTEM: lazy_gettext("before the system"),
}
TEXT_STATES = {
    arrows.PLANNED: lazy_gettext("planned"),
    arrows.CLAIMED: lazy_gettext("leaving now"),
    arrows.CANCELLED: lazy_gettext("cancelled"),
    arrows.SUPERSEDED: lazy_gettext("fell away"),
    arrows.EXPIRED: lazy_gettext("too late, not sent"),
    arrows.NOT_SENDABLE: lazy_gettext("no time left to send it"),
    arrows.WITHHELD: lazy_gettext("stopped before it left"),
    arrows.REFUSED: lazy_gettext("refused by the carrier"),
    arrows.UNKNOWN: lazy_gettext("perhaps sent, being checked"),
    arrows.GIVEN_UP: lazy_gettext("perhaps sent, cannot be checked"),
    arrows.ACCEPTED: lazy_gettext("sent"),
    arrows.DELIVERED: lazy_gettext("delivered"),
    arrows.UNDELIVERED: lazy_gettext("did not arrive"),
    arrows.DELIVERY_UNKNOWN: lazy_gettext("sent, no receipt"),
}
CODES = {  # of the carrier; twilio.com/docs/api/errors
    21211: lazy_gettext("the number does not exist"),
    21610: lazy_gettext("she replied STOP"),
    21612: lazy_gettext("the number cannot receive this text"),
    21614: lazy_gettext("the number is not a mobile"),
    30003: lazy_gettext("the phone was off or out of reach"),
    30004: lazy_gettext("the phone or its operator blocks texts"),
    30005: lazy_gettext("the number is not in use"),
    30006: lazy_gettext("the number is a landline or cannot be reached"),
}
WHY_UNREACHABLE = {
    reach.NO_PERMISSION: lazy_gettext("No permission for texts"),
    reach.OPTED_OUT: lazy_gettext("She replied STOP"),
    reach.NO_NUMBER: lazy_gettext("No phone number"),
    arrows.UNDELIVERED: lazy_gettext("The last text did not arrive"),
    arrows.REFUSED: lazy_gettext("The carrier refused the last text"),
    arrows.UNKNOWN: lazy_gettext("Nobody knows yet whether the last text left"),
    arrows.GIVEN_UP: lazy_gettext("Nobody can tell whether the last text left"),
    arrows.NOT_SENDABLE: lazy_gettext("No text can go before the window closes"),
}
WHAT_TO_DO = {
    reach.NO_PERMISSION: lazy_gettext("Agree with her how she answers: on the clinic's tablet, or ask for permission."),
    reach.OPTED_OUT: lazy_gettext("Call her. If she wants texts again, she sends START to the number they came from."),
    reach.NO_NUMBER: lazy_gettext("Ask her for a mobile number, or let her answer on the clinic's tablet."),
    arrows.UNDELIVERED: lazy_gettext("Call her and check the number; give the new one on her page."),
    arrows.REFUSED: lazy_gettext("Call her and check the number; give the new one on her page."),
    arrows.UNKNOWN: lazy_gettext("Wait for the check. It is never sent again blindly. Call if the window closes soon."),
    arrows.GIVEN_UP: lazy_gettext("Call her and ask whether the text came."),
    arrows.NOT_SENDABLE: lazy_gettext("Call her, or let her answer on the clinic's tablet."),
}
EVENTS = {
    CONSENT: lazy_gettext("Consent"),
    RANDOMISATION: lazy_gettext("Randomisation"),
    facts.SURGERY: lazy_gettext("Surgery"),
    facts.PROGRESSION: lazy_gettext("Progression"),
    facts.SEEN_ALIVE: lazy_gettext("Seen or spoken to"),
    facts.DEATH: lazy_gettext("Death"),
    facts.WITHDRAWAL: lazy_gettext("Withdrawal"),
    facts.TEXTS_ALLOWED: lazy_gettext("Permission for texts given"),
    facts.TEXTS_REFUSED: lazy_gettext("No permission for texts"),
    facts.OPTED_OUT: lazy_gettext("Replied STOP"),
    facts.OPTED_IN: lazy_gettext("Replied START"),
}
MODES = {"self": lazy_gettext("by link"), "tablet": lazy_gettext("on the clinic's tablet")}


def visit_title(code: str) -> str:
    """A visit as the trial file names it in the language of the page."""
    titles = house().protocol.schedule.visits[code].title
    return titles.get(str(get_locale())) or next(iter(titles.values()))


def step_name(code: str) -> str:
    """A rung of the ladder: the first is the invitation, the others are reminders, counted."""
    codes = [step.code for step in house().protocol.schedule.ladder.steps]
    n = codes.index(code) if code in codes else 0
    return gettext("invitation") if n == 0 else gettext("reminder %(n)s", n=n)


def weekday(on: date) -> str:
    """The day of the week in short: it helps to choose when to call."""
    return str(format_date(on, "EEE"))


def instant(at: datetime) -> Markup:
    """An instant on the trial's wall clock, with its offset, so that the hour that comes twice is told apart."""
    local = at.astimezone(house().protocol.zone)
    offset = f"{local:%z}"
    return Markup('<time datetime="{}">{} <span class="offset">{}:{}</span></time>').format(
        local.isoformat(timespec="seconds"), f"{local:%Y-%m-%d %H:%M}", offset[:3], offset[3:]
    )


def local_day(at: datetime) -> date:
    return at.astimezone(house().protocol.zone).date()


def language_name(code: str) -> str:
    """A language in the language of the page."""
    return str(Locale.parse(code, sep="-").get_display_name(get_locale()))


def since(at: datetime) -> str:
    """How long ago, in words."""
    return str(format_timedelta(at - this_moment(), add_direction=True))


@pages.context_processor
def _words() -> dict[str, object]:
    """What every template of the desk may ask for."""
    return {
        "protocol": house().protocol,
        "may": may,
        "STATES": STATES,
        "TEXT_STATES": TEXT_STATES,
        "CODES": CODES,
        "WHY_UNREACHABLE": WHY_UNREACHABLE,
        "WHAT_TO_DO": WHAT_TO_DO,
        "EVENTS": EVENTS,
        "MODES": MODES,
        "visit_title": visit_title,
        "step_name": step_name,
        "weekday": weekday,
        "zip": zip,
        "instant": instant,
        "local_day": local_day,
        "language_name": language_name,
        "moment": this_moment(),
        "today": local_day(this_moment()),
        "since": since,
    }
