"""In which words does a patient's timeline say what happened?"""

from __future__ import annotations

from flask_babel import gettext

from epro.acts.calls import REASONS
from epro.queries.course import ACT, RECORDED, TEXT, Moment
from epro.refusals import N_
from epro.web.desk.acts import act
from epro.web.desk.gate import pages
from epro.web.desk.words import EVENTS, step_name

MOMENTS = {
    "opens": N_("May be answered from here on"),
    "closes": N_("Last day to answer"),
    "started": N_("Opened"),
    "completed": N_("Complete"),
    "receipt": N_("Receipt"),
}


def moment_words(one: Moment) -> str:
    """What a line of the timeline tells."""
    if one.kind == TEXT:
        return f"{gettext('Text')}: {step_name(one.what)}"
    if one.kind == ACT:
        return act(one.what)
    return str(gettext(EVENTS[one.what] if one.kind == RECORDED else MOMENTS[one.kind]))


def reason_words(detail: str) -> str:
    """A remark as it was written; of a reason from a list its words."""
    visit, _, code = detail.partition(": ")
    return f"{visit}: {gettext(REASONS[code])}" if code in REASONS else detail


@pages.context_processor
def _words() -> dict[str, object]:
    return {"moment_words": moment_words, "reason_words": reason_words}
