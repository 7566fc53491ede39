"""Whom do I call today, in which order, and why?

One list of patients: forms that are late, patients whom no text reaches, who asked to be called, and whose answers
raised an alert. Ranked by the window that closes first, then baselines, then misses in a row, then alerts and replies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from epro.queries.alerts import Alert
from epro.queries.reach import WHY_UNREACHABLE, Sending
from epro.queries.worklist import Row, Worklist
from epro.queries.written import Written
from epro.refusals import N_
from epro.store.facts import Happened
from scheduler import arrows

Key = tuple[str, str | None]  # subject, and the visit whose form waits
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Call:
    """One line of the list. form: the one that is late or comes next, None where none waits. overdue: it is late."""

    subject: str
    site: str
    form: Row | None
    overdue: bool
    unreachable: tuple[str, ...]
    replies: tuple[Written, ...]
    alerts: tuple[Alert, ...]
    last_call: Happened | None = None
    rests: bool = False  # her texts rest until a day

    @property
    def is_for_a_person(self) -> bool:
        """Whether no text will do: nobody is reached by waiting for the next one."""
        waits_for_check = self.unreachable and arrows.UNKNOWN in self.unreachable
        return bool((self.unreachable and not waits_for_check) or self.replies or self.alerts)

    @property
    def is_for_today(self) -> bool:
        """Whether somebody must call: no text will do, or none is left to go for a form that is late."""
        no_text_left = self.overdue and not self.rests and self.sending.next_at is None
        return self.is_for_a_person or no_text_left

    @property
    def sending(self) -> Sending:
        return self.form.sending if self.form else Sending()


def calls(lists: Worklist, replies: Sequence[Written], alerts: Sequence[Alert]) -> list[Call]:
    """The list, ranked. known patients bring their last call along."""
    found: dict[Key, Call] = {}
    key: Key
    for row in lists.overdue:
        found[row.subject, row.visit] = Call(row.subject, row.site, row, True, (), (), ())
    for one in lists.unreachable:
        key = (one.form.subject, one.form.visit)
        there = found.get(key) or Call(one.form.subject, one.form.site, one.form, False, (), (), ())
        found[key] = replace(there, unreachable=one.why)
    for reply in replies:
        key = _first_of(found, reply.subject)
        there = found.get(key) or _without_form(reply.subject, reply.site)
        found[key] = replace(there, replies=(*there.replies, reply))
    for alert in alerts:
        key = _first_of(found, alert.subject)
        there = found.get(key) or _without_form(alert.subject, alert.site)
        found[key] = replace(there, alerts=(*there.alerts, alert))
    known = (_with_facts(call, lists) for call in found.values())
    return sorted(known, key=_rank)


def most_urgent(ranked: Sequence[Call], most: int) -> list[Call]:
    """The first of the list, and whoever asked for something however far down: nobody else knows of her."""
    return [call for n, call in enumerate(ranked) if n < most or call.replies or call.alerts]


def reasons(call: Call) -> list[tuple[str, Mapping[str, object]]]:
    """Why this patient stands on the list: words to be translated, and what stands in them."""
    form, found = call.form, list[tuple[str, Mapping[str, object]]]()
    if call.overdue and form:
        days = {"days": form.days_left}
        found.append((N_("late, closes tonight"), {}) if not form.days_left else (N_("late, %(days)s days left"), days))
    found += [(WHY_UNREACHABLE[why], {}) for why in call.unreachable]
    if form and form.baseline:
        found.append((N_("baseline"), {}))
    if form and form.misses:
        found.append((N_("missed before, in a row: %(n)s"), {"n": form.misses}))
    found += [(N_("alert: %(rule)s, %(visit)s"), {"rule": one.rule, "visit": one.visit}) for one in call.alerts]
    found += [(N_("asks to be called") if one.asks_for_a_call else N_("wrote to us"), {}) for one in call.replies]
    return found


def _rank(call: Call) -> tuple[datetime, bool, int, bool, str]:
    asked = bool(call.replies or call.alerts)
    if call.form is None:
        return NEVER, True, 0, not asked, call.subject
    return call.form.closes_at, not call.form.baseline, -call.form.misses, not asked, call.subject


def _first_of(found: Mapping[Key, Call], subject: str) -> Key:
    """The line of a patient whose window closes first; a line of her own without a form where she has none."""
    hers = [(call.form.closes_at, key) for key, call in found.items() if call.subject == subject and call.form]
    return min(hers)[1] if hers else (subject, None)


def _without_form(subject: str, site: str) -> Call:
    return Call(subject, site, None, False, (), (), ())


def _with_facts(call: Call, lists: Worklist) -> Call:
    known = lists.known.get(call.subject)
    return replace(call, last_call=known.last_call if known else None, rests=call.subject in lists.paused)
