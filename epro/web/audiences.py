"""Who may open which route? Every route of the service stands here, by its endpoint; a route that does not keeps the
service from starting.

A route of the desk takes the ability named here; which roles have it says `desk.gate.ROLES_WITH`. No page of a library
is served: signing in is by our own pages alone.
"""

from __future__ import annotations

from flask import Flask

ANYBODY = "anybody"
PATIENT = "who holds a patient's link"
CARRIER = "the carrier, by its signature"
CALENDAR = "who holds a calendar's address"
SIGNING_IN = "staff who sign in"
HALFWAY = "staff who have given the first step"
MEMBER = "any member of staff, of her own account"
OPEN = frozenset({ANYBODY, PATIENT, CARRIER, CALENDAR, SIGNING_IN, HALFWAY, MEMBER})

AUDIENCES: dict[str, str] = {
    "static": ANYBODY,
    "accounts.login": SIGNING_IN,
    "accounts.give_password": SIGNING_IN,
    "accounts.second_step": HALFWAY,
    "accounts.give_code": HALFWAY,
    "accounts.passkey_options": SIGNING_IN,
    "accounts.give_passkey": SIGNING_IN,
    "accounts.again": MEMBER,
    "accounts.show_again": MEMBER,
    "accounts.setup": SIGNING_IN,
    "accounts.choose_first_password": SIGNING_IN,
    "accounts.logout": SIGNING_IN,
    "accounts.own": MEMBER,
    "accounts.authenticator": MEMBER,
    "accounts.keep_authenticator": MEMBER,
    "accounts.new_recovery_codes": MEMBER,
    "accounts.new_passkey_options": MEMBER,
    "accounts.keep_passkey": MEMBER,
    "accounts.remove_passkey": MEMBER,
    "accounts.change_password": MEMBER,
    "accounts.single_sign_on": SIGNING_IN,
    "accounts.signed_on": SIGNING_IN,
    "arriving.front": ANYBODY,
    "arriving.enter": ANYBODY,
    "arriving.accessibility": ANYBODY,
    "arriving.worker": ANYBODY,
    "arriving.start": PATIENT,
    "arriving.begin": PATIENT,
    "arriving.first_text": PATIENT,
    "arriving.opened_first_text": PATIENT,
    "arriving.not_me": PATIENT,
    "arriving.deny": PATIENT,
    "saving.save": PATIENT,
    "patient.form": PATIENT,
    "patient.copy": PATIENT,
    "patient.change_language": PATIENT,
    "patient.question": PATIENT,
    "patient.answer": PATIENT,
    "patient.review": PATIENT,
    "patient.submit": PATIENT,
    "patient.done": PATIENT,
    "desk.accounts": "accounts.administer",
    "desk.invite": "accounts.administer",
    "desk.account": "accounts.administer",
    "desk.change_access": "accounts.administer",
    "desk.disable": "accounts.administer",
    "desk.enable": "accounts.administer",
    "desk.reset_second_step": "accounts.administer",
    "desk.new_link": "accounts.administer",
    "desk.enrolment": "patients.enrol",
    "desk.enrol": "patients.enrol",
    "desk.preview_dates": "patients.enrol",
    "desk.imports": "files.import",
    "desk.try_file": "files.import",
    "desk.import_file": "files.import",
    "desk.imported_copy": "files.import",
    "desk.export_page": "data.export",
    "desk.export_data": "data.export",
    "desk.completion_table": "completion.read",
    "desk.form_list": "patients.read",
    "desk.forms_as_csv": "patients.read",
    "desk.patient": "patients.read",
    "desk.randomise": "patients.randomise",
    "desk.correct_randomisation": "patients.randomise",
    "desk.record_surgery": "patients.record",
    "desk.record_progression": "patients.record",
    "desk.record_seen": "patients.record",
    "desk.record_death": "patients.record",
    "desk.withdraw": "patients.record",
    "desk.change_number": "patients.reach",
    "desk.change_permission": "patients.reach",
    "desk.change_second_step": "patients.reach",
    "desk.issue_card": "patients.reach",
    "desk.send_first_text": "patients.reach",
    "desk.card": "patients.reach",
    "desk.hand_over": "forms.hand_over",
    "desk.record_discharge": "patients.record",
    "desk.change_zone": "patients.record",
    "desk.pause": "patients.record",
    "desk.end_pause": "patients.record",
    "desk.undo": "patients.record",
    "desk.consent_anew": "patients.record",
    "desk.confirm_alive": "patients.record",
    "desk.stopped": "patients.read",
    "desk.call": "patients.call",
    "desk.log_call": "patients.call",
    "desk.send_again": "patients.call",
    "desk.give_reason": "patients.call",
    "desk.acknowledge": "patients.call",
    "desk.paper": "answers.enter",
    "desk.enter_paper": "answers.enter",
    "desk.enter_phone": "answers.enter",
    "desk.landing": "desk.enter",
    "desk.search": "patients.read",
    "desk.answers_of_visit": "answers.read",
    "desk.answer": "answers.correct",
    "desk.correct_answer": "answers.correct",
    "desk.change_email": "patients.reach",
    "desk.signatures": "answers.read",
    "desk.sign_record": "record.sign",
    "desk.cuts": "answers.read",
    "desk.sign_cut": "record.sign",
    "desk.unlock": "record.sign",
    "desk.trail": "trail.read",
    "desk.trail_as_csv": "trail.read",
    "desk.trail_as_json": "trail.read",
    "desk.looks": "trail.read",
    "desk.review_trail": "trail.review",
    "desk.calendar": "calendar.have",
    "desk.make_calendar": "calendar.have",
    "desk.end_calendar": "calendar.have",
    "calendar.feed": CALENDAR,
    "webhooks.receipt": CARRIER,
    "webhooks.reply": CARRIER,
    "health.health": ANYBODY,
}


class UnlistedRoute(RuntimeError):
    """A route has no audience, or another than it says beside itself."""


def check(app: Flask) -> None:
    """Raises UnlistedRoute, which names every route whose audience is missing or in doubt."""
    served = {rule.endpoint for rule in app.url_map.iter_rules()}
    wrongs = [
        f"{endpoint}: {wrong}"
        for endpoint in sorted(served | set(AUDIENCES))
        if (wrong := _wrong(app, endpoint, served))
    ]
    if wrongs:
        raise UnlistedRoute("epro/web/audiences.py does not agree with the routes:\n" + "\n".join(wrongs))


def _wrong(app: Flask, endpoint: str, served: set[str]) -> str | None:
    if endpoint not in served:
        return "no such route; take it out"
    listed = AUDIENCES.get(endpoint)
    if listed is None:
        return "not listed; say there who may open it"
    ability = getattr(app.view_functions[endpoint], "ability", None)
    if (None if listed in OPEN else listed) != ability:
        return f"listed for {listed!r}, while the route itself takes {ability!r}"
    if endpoint.startswith("desk.") and listed in OPEN:
        return "a route of the desk takes an ability"
    return None
