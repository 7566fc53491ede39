"""In which words does the desk say a state, a reason and an instant?"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import available_timezones

from babel import Locale
from flask_babel import format_timedelta, get_locale, gettext
from markupsafe import Markup

from epro import assessments
from epro.acts import answers, calls, entering, links, patients
from epro.protocol import CONSENT, RANDOMISATION
from epro.queries import reach
from epro.queries.calling import Call, reasons
from epro.queries.reach import WHY_UNREACHABLE
from epro.refusals import N_
from epro.store import facts
from epro.web.desk.gate import may, pages
from epro.web.house import house
from epro.web.house import now as this_moment
from scheduler import arrows
from scheduler.messages import AGAIN, ON_REQUEST

STATES = {
    assessments.NOT_DUE: N_("not yet open"),
    assessments.OPEN: N_("open"),
    assessments.STARTED: N_("begun"),
    assessments.COMPLETED: N_("complete"),
    assessments.CLOSED_UNFINISHED: N_("closed unfinished"),
    assessments.MISSED: N_("missed"),
    assessments.EXCUSED: N_("excused"),
    assessments.BEFORE_SYSTEM: N_("before the system"),
}
TEXT_STATES = {
    arrows.PLANNED: N_("planned"),
    arrows.CLAIMED: N_("leaving now"),
    arrows.CANCELLED: N_("cancelled"),
    arrows.SUPERSEDED: N_("fell away"),
    arrows.EXPIRED: N_("too late, not sent"),
    arrows.NOT_SENDABLE: N_("no time left to send it"),
    arrows.WITHHELD: N_("stopped before it left"),
    arrows.REFUSED: N_("refused by the carrier"),
    arrows.UNKNOWN: N_("perhaps sent, being checked"),
    arrows.GIVEN_UP: N_("perhaps sent, cannot be checked"),
    arrows.ACCEPTED: N_("sent"),
    arrows.DELIVERED: N_("delivered"),
    arrows.UNDELIVERED: N_("did not arrive"),
    arrows.DELIVERY_UNKNOWN: N_("sent, no receipt"),
}
CODES = {  # of the carrier; twilio.com/docs/api/errors
    21211: N_("the number does not exist"),
    21610: N_("the patient replied STOP"),
    21612: N_("the number cannot receive this text"),
    21614: N_("the number is not a mobile"),
    550: N_("the e-mail address does not exist"),
    551: N_("the e-mail address does not exist"),
    552: N_("the mailbox is full or the mail was not liked"),
    553: N_("the e-mail address does not exist"),
    554: N_("the mail server did not want the mail"),
    30003: N_("the phone was off or out of reach"),
    30004: N_("the phone or its operator blocks texts"),
    30005: N_("the number is not in use"),
    30006: N_("the number is a landline or cannot be reached"),
}
WHAT_TO_DO = {
    reach.NO_PERMISSION: N_("Ask for permission, or agree to answer on the clinic's tablet."),
    reach.OPTED_OUT: N_("Call. Whoever wants texts again sends START to the number they came from."),
    reach.FAILS: N_("Call and check the number; a new one is given on the patient's page."),
    reach.NO_NUMBER: N_("Ask for a mobile number, or offer the clinic's tablet."),
    facts.NOT_ME: N_("Call, check who has the phone, and record that you spoke to her; then texts reach her again."),
    facts.WRONG_NUMBER: N_("Find the right number and give it on the patient's page. Nothing is sent until then."),
    arrows.UNDELIVERED: N_("Call and check the number; a new one is given on the patient's page."),
    arrows.REFUSED: N_("Call and check the number; a new one is given on the patient's page."),
    arrows.UNKNOWN: N_("Wait for the check. It is never sent again blindly. Call if the window closes soon."),
    arrows.GIVEN_UP: N_("Call and ask whether the text came."),
    arrows.NOT_SENDABLE: N_("Call, or offer the clinic's tablet."),
}
EVENTS = {
    CONSENT: N_("Consent"),
    RANDOMISATION: N_("Randomisation"),
    facts.SURGERY: N_("Surgery"),
    facts.PROGRESSION: N_("Progression"),
    facts.SEEN_ALIVE: N_("Seen or spoken to"),
    facts.DEATH: N_("Death"),
    facts.WITHDRAWAL: N_("Withdrawal"),
    facts.TEXTS_ALLOWED: N_("Permission for texts given"),
    facts.TEXTS_REFUSED: N_("No permission for texts"),
    facts.OPTED_OUT: N_("Replied STOP"),
    facts.OPTED_IN: N_("Replied START"),
    facts.ASKED_LATER: N_("Replied LATER"),
    facts.NOT_ME: N_("Link opened by somebody else"),
    facts.WRONG_NUMBER: N_("Number reported as wrong"),
    facts.FAILS["sms"]: N_("Texts do not arrive at the number"),
    facts.FAILS["email"]: N_("Mails do not arrive at the address"),
    facts.DISCHARGE: N_("Discharge from hospital"),
    facts.PAUSED: N_("Texts rest"),
    facts.PAUSE_ENDED: N_("Texts go again"),
    facts.CONSENTED_ANEW: N_("Consented to the amended trial"),
    facts.CALLED: N_("Called"),
    facts.SENT_AGAIN: N_("Text sent again"),
    facts.ALERT_RAISED: N_("Alert"),
    facts.ALERT_ACKNOWLEDGED: N_("Alert acknowledged"),
    facts.ALERT_ESCALATED: N_("Alert passed on"),
    facts.UNDONE: N_("Never happened"),
}
MODES = {
    links.SELF: N_("by link"),
    answers.HELPED: N_("by link, with help"),
    answers.PROXY: N_("by link, by somebody else for her"),
    answers.NOT_SAID: N_("by link, not said by whom"),
    links.TABLET: N_("on the clinic's tablet"),
    entering.PHONE: N_("by phone, entered by staff"),
    entering.PAPER: N_("on paper, entered by staff"),
}
CALL_OUTCOMES = {**calls.OUTCOMES, calls.ANSWERED: N_("Answered on the phone")}


ROLES = {
    "nurse": N_("Nurse"),
    "investigator": N_("Investigator"),
    "monitor": N_("Monitor"),
    "analyst": N_("Analyst"),
    "trial_office": N_("Trial office"),
    "administrator": N_("Administrator"),
}
SECOND_STEPS = {
    "none": N_("none"),
    "code": N_("code"),
    "passkey": N_("passkey"),
    "code and passkey": N_("code and passkey"),
}


def visit_title(code: str) -> str:
    """A visit as the trial file names it in the language of the page."""
    titles = house().protocol.visits[code].title
    return str(titles.get(str(get_locale())) or next(iter(titles.values())))


def step_name(code: str) -> str:
    """A rung of the ladder: the first is the invitation, the others are reminders, counted."""
    if code == ON_REQUEST:
        return str(gettext("reminder asked for"))
    if code.startswith(AGAIN):
        return str(gettext("sent again"))
    codes = [step.code for step in house().protocol.schedule.ladder.steps]
    n = codes.index(code) if code in codes else 0
    return str(gettext("invitation") if n == 0 else gettext("reminder %(n)s", n=n))


def text_of_key(key: str) -> str:
    """A text by its visit and its rung: its key is subject/visit/step/channel/copy."""
    visit, step = key.split("/")[-4:-2]
    return f"{visit_title(visit)}, {step_name(step)}"


def weekday(on: date) -> str:
    """The day of the week in short: it helps to choose when to call."""
    locale = get_locale() or Locale.parse("en")
    return str(locale.days["format"]["abbreviated"][on.weekday()])  # a fiftieth of the time that a pattern takes


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


ZONES = sorted(zone for zone in available_timezones() if zone.startswith(("Europe/", "America/", "Asia/")))


def rule_title(code: str) -> str:
    """An alert's rule as the trial file names it in the language of the page."""
    alerts = house().protocol.sections.alerts
    titles = next((rule.title for rule in alerts.rule if rule.code == code), {}) if alerts else {}
    return str(titles.get(str(get_locale())) or next(iter(titles.values()), code))


def why(call: Call) -> list[str]:
    """Why somebody stands on the call list, in words."""
    told = []
    for words, values in reasons(call):
        shown = {**values, "rule": rule_title(str(values["rule"]))} if "rule" in values else values
        told.append(str(gettext(words) % shown if shown else gettext(words)))
    return told


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
        "CALL_OUTCOMES": CALL_OUTCOMES,
        "MISSING": calls.REASONS,
        "why": why,
        "SCOPES": patients.SCOPES,
        "ZONES": ZONES,
        "rule_title": rule_title,
        "visit_title": visit_title,
        "step_name": step_name,
        "text_of_key": text_of_key,
        "weekday": weekday,
        "zip": zip,
        "instant": instant,
        "local_day": local_day,
        "language_name": language_name,
        "moment": this_moment(),
        "today": local_day(this_moment()),
        "since": since,
    }
