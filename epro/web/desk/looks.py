"""Who has looked at a patient's data, and at what: in words that she and an inspector understand."""

from __future__ import annotations

from flask import render_template
from flask_babel import gettext

from epro.queries.trail import looks_at
from epro.refusals import N_
from epro.web.desk.acts import by_whom
from epro.web.desk.gate import allowed, pages
from epro.web.house import reading

HER_PAGE = N_("the patient's page")
SHOWN = {
    "desk.landing": N_("the worklist"),
    "desk.search": N_("the search for a subject id"),
    "desk.form_list": N_("the list of forms"),
    "desk.forms_as_csv": N_("the list of forms, as a file"),
    "desk.call": N_("the phone number"),
    "desk.log_call": N_("the phone number"),
    "desk.card": N_("the patient's card"),
    "desk.paper": N_("the form that staff enter"),
    "desk.enter_paper": N_("the form that staff enter"),
    "desk.enter_phone": N_("the form that staff enter"),
    "desk.answers_of_visit": N_("the answers of a form"),
    "desk.answer": N_("every version of an answer"),
    "desk.correct_answer": N_("every version of an answer"),
    "desk.stopped": N_("the texts that were stopped"),
    "desk.trail": N_("the trail"),
    "desk.review_trail": N_("the trail"),
    "desk.trail_as_csv": N_("the trail, as a file"),
    "desk.trail_as_json": N_("the trail, as a file"),
    "desk.looks": N_("this list"),
    "desk.signatures": N_("the signatures"),
    "desk.sign_record": N_("the signatures"),
    "desk.cuts": N_("the signed cuts of data"),
    "desk.imports": N_("the files of the trial office"),
    "desk.try_file": N_("the files of the trial office"),
    "desk.import_file": N_("the files of the trial office"),
    "desk.imported_copy": N_("a file of the trial office"),
    "desk.export_data": N_("an export of the data"),
    "export": N_("an export of the data"),
    "archive": N_("the archive"),
    "stopped": N_("the texts that were stopped"),
    "calendar.feed": N_("the calendar"),
}


@pages.get("/patients/<subject>/looks")
@allowed("trail.read")
def looks(subject: str) -> str:
    """What a patient may ask for (Patient Data Act, 8:5)."""
    with reading() as connection:
        rows = looks_at(connection, subject)
    return render_template("desk/looks.html", subject=subject, rows=rows, by_whom=by_whom, what=what)


def what(shown: str) -> str:
    """A page or command in the language of this page. Each act of a patient's page shows that page again."""
    if shown in SHOWN:
        return str(gettext(SHOWN[shown]))
    return str(gettext(HER_PAGE)) if shown.startswith("desk.") else shown
