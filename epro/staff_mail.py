"""Which mails go to staff? Each once, by whichever clock comes first; with subject ids, reasons and a link, no names.

At half past seven whom to call, only where somebody must be called: no mail means nothing to do. On Mondays what came
in, by site. At once an alert, to those whom its rule names, and later to the next when nobody acknowledged it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from sqlalchemy import Connection

from epro.acts import alerts, tokens, users
from epro.acts.sessions import hash_of
from epro.acts.users import AT_OWN_SITES, Account
from epro.house import House
from epro.queries.alerts import Alert, open_alerts
from epro.queries.calling import Call, calls, reasons
from epro.queries.monitoring import completion
from epro.queries.worklist import worklist
from epro.queries.written import written
from epro.refusals import N_
from epro.store.database import reading, writing
from epro.web.languages import catalogue
from scheduler.ports import EMAIL, Accepted, Carrier, Letter, Refused

MORNING, NOON = time(7, 30), time(12)
MONDAY = 0
PURPOSE = "mail to staff"
KEPT_FOR = timedelta(days=60)  # how long it is known that a mail has gone
VALID_FOR = timedelta(hours=12)
MOST_LINES = 40
NOT_TAKEN = "a mail to staff was not taken by the mail server; see epro doctor"


@dataclass(frozen=True)
class Mail:
    """key: of this mail, so that it goes once. Its repr shows neither address nor words."""

    key: str
    to: str = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)


def in_the_morning(house: House, mails: Carrier | None, now: datetime) -> str | None:
    """The mails of this morning that have not gone; what a person must know when the server takes none."""
    local = now.astimezone(house.protocol.zone)
    if mails is None or not MORNING <= local.time() < NOON:
        return None
    with reading(house.engine) as connection:
        staff = [one for one in users.accounts(connection) if one.active and one.role in AT_OWN_SITES]
        due = [*_calls_of_today(connection, house, staff, now)]
        if local.weekday() == MONDAY:
            due += _weekly(connection, house, staff, now)
    return _send_each(house, mails, due, now)


def look_for_alerts(house: House, mails: Carrier | None, now: datetime) -> str | None:
    """Raise what is new, pass on what has waited too long, and tell of both."""
    with writing(house.engine) as connection:
        alerts.raise_alerts(connection, house.protocol, now)
        alerts.escalate(connection, house.protocol, now)
    if mails is None:
        return "alerts cannot be told by mail: EPRO_SMTP_HOST is not set"
    with reading(house.engine) as connection:
        waiting = open_alerts(connection)
    return _send_each(house, mails, [mail for one in waiting for mail in _of_alert(house, one)], now)


def _send_each(house: House, mails: Carrier, due: Collection[Mail], now: datetime) -> str | None:
    """Claim, then send; what was surely not taken is given back and tried again at the next beat."""
    alarm = None
    for mail in due:
        with writing(house.engine) as connection:
            ours = tokens.claim(connection, PURPOSE, mail.key, now + KEPT_FOR)
        if not ours:
            continue
        outcome = mails.send(Letter(mail.to, mail.body, now + VALID_FOR, EMAIL, mail.subject), token=_token(mail))
        if isinstance(outcome, Refused):
            with writing(house.engine) as connection:
                tokens.release(connection, PURPOSE, mail.key)
        if not isinstance(outcome, Accepted):
            alarm = NOT_TAKEN
    return alarm


def _token(mail: Mail) -> str:
    return hash_of(mail.key)[:32]


def _calls_of_today(connection: Connection, house: House, staff: Collection[Account], now: datetime) -> Iterator[Mail]:
    say, day = words_of(house), now.astimezone(house.protocol.zone).date()
    for one in staff:
        if one.role != users.NURSE:
            continue
        lists = worklist(connection, house.protocol, now, sites=one.sites)
        replies = written(connection, house.cipher, now, sites=one.sites)
        found = calls(lists, replies, open_alerts(connection, sites=one.sites))
        today = [call for call in found if call.is_for_today]
        if today:
            lines = [line_of(house, call, say) for call in today[:MOST_LINES]]
            subject = say(N_("%(trial)s: %(n)s to call today")) % {"trial": house.protocol.trial.code, "n": len(today)}
            yield Mail(f"morning/{day}/{one.id}", one.email, subject, _body(house, lines, say))


def line_of(house: House, call: Call, say: Callable[[str], str]) -> str:
    """A patient and why to call her, in one line."""
    rules = house.protocol.sections.alerts.rule if house.protocol.sections.alerts else ()
    titles = {rule.code: rule.title.get(house.protocol.language) or rule.code for rule in rules}
    why = [say(words) % {**values, "rule": titles.get(str(values.get("rule")), "")} for words, values in reasons(call)]
    return f"{call.subject} {call.form.visit if call.form else ''}".strip() + f": {'; '.join(why)}"


def _weekly(connection: Connection, house: House, staff: Collection[Account], now: datetime) -> Iterator[Mail]:
    say, day = words_of(house), now.astimezone(house.protocol.zone).date()
    for one in staff:
        table = completion(connection, house.protocol, now, sites=one.sites)
        lines = []
        for site in table.sites:
            lines.append(f"{site} {house.protocol.sites[site].name}")
            shown = [(visit, table.at(visit, site)) for visit in table.visits if table.at(visit, site).expected]
            lines += [f"  {visit}: {count.received}/{count.expected} ({count.percent} %)" for visit, count in shown]
            total = table.of_site(site)
            lines.append(f"  {say(N_('All visits'))}: {total.received}/{total.expected} ({total.percent or 0} %)")
        lines.append(say(N_("Missing without a reason: %(n)s")) % {"n": table.missing.get("", 0)})
        if lines[:-1]:
            subject = say(N_("%(trial)s: what came in, week by week")) % {"trial": house.protocol.trial.code}
            yield Mail(f"weekly/{day}/{one.id}", one.email, subject, _body(house, lines, say, "/desk/completion"))


def _of_alert(house: House, alert: Alert) -> Iterator[Mail]:
    """To those whom the rule names; once it was passed on, to the next as well."""
    section, say = house.protocol.sections.alerts, words_of(house)
    rule = next((one for one in section.rule if one.code == alert.rule), None) if section else None
    if section is None or rule is None:
        return
    title = rule.title.get(house.protocol.language) or next(iter(rule.title.values()))
    line = f"{alert.subject} {alert.visit}: {title}"
    subject = say(N_("%(trial)s: alert to acknowledge")) % {"trial": house.protocol.trial.code}
    told = {"raised": rule.to, "escalated": section.escalate_to if alert.escalated else ()}
    for step, addresses in told.items():
        for to in addresses:
            body = _body(house, [line], say, f"/desk/patients/{alert.subject}")
            yield Mail(f"alert/{alert.id}/{step}/{to}", to, subject, body)


def _body(house: House, lines: Collection[str], say: Callable[[str], str], path: str = "/desk") -> str:
    foot = say(N_("This mail holds subject ids and no names. Sign in to see more:"))
    return "\n".join([*lines, "", foot, f"{house.settings.address}{path}"])


def words_of(house: House) -> Callable[[str], str]:
    """The words of the trial's own language."""
    return catalogue(house.protocol.language).gettext
