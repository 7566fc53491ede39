"""How many of the expected forms came, by visit and site; and every form, filtered, sorted, and as a file."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Response, abort, render_template, request
from flask_babel import gettext

from epro.acts.calls import REASONS
from epro.queries.forms import SORTS, STATES, Line, Wanted, first_forms, forms
from epro.queries.monitoring import completion
from epro.refusals import N_
from epro.web.desk.gate import allowed, own_sites, pages, shows, sites_here
from epro.web.desk.words import MODES
from epro.web.desk.worklist import chosen_filters
from epro.web.house import house, now, reading
from questionnaires.cells import as_csv

MOST_SHOWN = 300
BYTE_ORDER_MARK = "\ufeff"  # by which Excel knows UTF-8, so that å, ä and ö stay what they are
COLUMNS = {
    "subject": N_("Subject"),
    "site": N_("Site"),
    "visit": N_("Visit"),
    "due_on": N_("Due"),
    "last_on": N_("Last day"),
    "state": N_("State"),
    "texts": N_("Texts sent"),
    "reason": N_("Why missing"),
    "mode": N_("How answered"),
}
FORM_STATES = {
    "answered": N_("answered"),
    "partly": N_("answered in part"),
    "opened": N_("opened, nothing answered"),
    "sent": N_("sent, not opened"),
    "scheduled": N_("scheduled"),
    "missed": N_("missed"),
    "excused": N_("excused"),
    "before_system": N_("before the system"),
}


@pages.get("/completion")
@allowed("completion.read")
def completion_table() -> str:
    """The table; `?site=` and `?visit=` narrow it."""
    chosen = chosen_filters()
    sites = [chosen["site"]] if chosen["site"] else own_sites()
    with reading() as connection:
        table = completion(connection, house().protocol, now(), sites=sites, visit=chosen["visit"])
    return render_template(
        "desk/completion.html",
        table=table,
        sites=sites_here(),
        chosen=chosen,
        now=now(),
        address=request.full_path.rstrip("?"),
    )


@pages.get("/forms")
@allowed("patients.read")
def form_list() -> str:
    """Every form of one's own sites; site, visit, state and order are the address."""
    wanted = _wanted()
    with reading() as connection:
        lines, count = first_forms(connection, house().protocol, now(), wanted, sites=own_sites(), most=MOST_SHOWN)
    return render_template(
        "desk/forms.html",
        lines=lines,
        count=count,
        wanted=wanted,
        columns=COLUMNS,
        sorts=SORTS,
        FORM_STATES=FORM_STATES,
        sites=sites_here(),
        sorted_by=_sorted_by,
        address=request.full_path.rstrip("?"),
        query=urlencode({name: value for name, value in request.args.items() if value}),
    )


@pages.get("/forms.csv")
@allowed("patients.read")
def forms_as_csv() -> Response:
    """Exactly the rows and columns of the list under the same address, for Excel."""
    with reading() as connection:
        lines = forms(connection, house().protocol, now(), _wanted(), sites=own_sites())
    for line in lines:
        shows(line.subject)
    header = [gettext(words) for words in COLUMNS.values()]
    text = BYTE_ORDER_MARK + as_csv(header, [_cells(line) for line in lines], delimiter=";")
    name = f"{house().protocol.trial.code.lower()}-forms-{now():%Y%m%dT%H%M%SZ}.csv"
    return Response(text, mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _cells(line: Line) -> list[object]:
    shown = {
        "state": gettext(FORM_STATES[line.state]),
        "reason": gettext(REASONS[line.reason]) if line.reason in REASONS else line.reason or "",
        "mode": gettext(MODES[line.mode]) if line.mode in MODES else "",
    }
    return [shown.get(name, getattr(line, name)) for name in COLUMNS]


def _wanted() -> Wanted:
    chosen = chosen_filters()
    state, sort = request.args.get("state") or None, request.args.get("sort") or Wanted.sort
    if (state is not None and state not in STATES) or sort.removeprefix("-") not in SORTS:
        abort(404)
    return Wanted(chosen["site"], chosen["visit"], state, sort)


def _sorted_by(column: str) -> str:
    """The address of the same list sorted by a column; by the one it is sorted by, the other way round."""
    given = {name: value for name, value in request.args.items() if value}
    turned = f"-{column}" if given.get("sort", Wanted.sort) == column else column
    return f"{request.path}?{urlencode({**given, 'sort': turned})}"
