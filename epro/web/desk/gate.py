"""Who may do what at the desk, and of which patients?

Deny by default: a route says which ability it takes (`@allowed`), the table here says which roles have that ability,
and one gate stands before every request of the desk. A route that names no ability opens for nobody, and one that
`audiences` does not list keeps the service from starting. Patients of other sites do not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Blueprint, abort, current_app, g, has_request_context, request
from flask_login import current_user
from werkzeug.wrappers import Response

from epro.acts.looking import looked
from epro.acts.users import ADMINISTRATOR, ANALYST, AT_OWN_SITES, INVESTIGATOR, MONITOR, TRIAL_OFFICE
from epro.protocol import Protocol
from epro.queries.timeline import site_of
from epro.web.accounts.blueprint import prove_first, to_sign_in
from epro.web.house import house, now, reading, staff, writing

CARE = AT_OWN_SITES

ROLES_WITH: dict[str, frozenset[str]] = {
    "desk.enter": CARE | {MONITOR, ANALYST, TRIAL_OFFICE, ADMINISTRATOR},
    "completion.read": CARE | {MONITOR, ANALYST, TRIAL_OFFICE, ADMINISTRATOR},  # counts alone
    "patients.read": CARE | {MONITOR, TRIAL_OFFICE},
    "patients.enrol": CARE | {TRIAL_OFFICE},
    "files.import": frozenset({TRIAL_OFFICE}),
    "patients.randomise": CARE | {TRIAL_OFFICE},
    "patients.record": CARE,  # what happened to her
    "patients.reach": CARE,  # her number and her permission
    "patients.call": CARE,  # and what is done about a form that is late
    "forms.hand_over": CARE,
    "calendar.have": CARE,
    "data.export": frozenset({ANALYST}),  # no contact data in it
    "accounts.administer": frozenset({ADMINISTRATOR}),
    "answers.read": CARE | {MONITOR},
    "answers.correct": CARE,
    "answers.enter": CARE,
    "trail.read": CARE | {MONITOR, TRIAL_OFFICE},
    "trail.review": frozenset({INVESTIGATOR, MONITOR, TRIAL_OFFICE}),
    "record.sign": frozenset({INVESTIGATOR}),
}

PROVED = frozenset({"desk.change_number", "desk.export_data"})  # asks anew who is sitting there
A_PAGE = (200, 400, 409, 422)  # answers that hold a page and not an error alone

pages = Blueprint("desk", __name__, url_prefix="/desk")
View = TypeVar("View", bound=Callable[..., Any])


def allowed(ability: str) -> Callable[[View], View]:
    """Says which ability a route takes."""
    if ability not in ROLES_WITH:
        raise ValueError(f"no ability is called {ability!r}; one of {', '.join(ROLES_WITH)}")

    def mark(view: View) -> View:
        view.ability = ability  # type: ignore[attr-defined]
        return view

    return mark


def ability_of(endpoint: str) -> str | None:
    return getattr(current_app.view_functions[endpoint], "ability", None)


def may(ability: str | None) -> bool:
    """Whether the person who is signed in has this ability."""
    return current_user.role in ROLES_WITH.get(ability or "", frozenset())


def own_sites() -> frozenset[str] | None:
    """The sites whose patients this person may see, which may be none; None = every site, by her role."""
    return frozenset(current_user.sites) if current_user.role in AT_OWN_SITES else None


def is_own(site: str) -> bool:
    sites = own_sites()
    return sites is None or site in sites


def sites_here() -> dict[str, str]:
    """The sites of this person, code to name, in the order of the trial file."""
    return {code: site.name for code, site in house().protocol.sites.items() if is_own(code)}


def may_see_arm(protocol: Protocol, site: str) -> bool:
    """The trial office allocates; a site sees the arm of its own patients where the trial file says so."""
    role = current_user.role
    return is_own(site) and (role == TRIAL_OFFICE or (protocol.trial.arm_seen_by_site and role in CARE))


@pages.before_request
def _stand_guard() -> Response | None:
    """1. Signed in, by every step it takes? 2. Able? 3. Is the patient hers? 4. Is it still she who sits there?"""
    if not current_user.is_authenticated:
        return to_sign_in()
    if not may(ability_of(cast(str, request.endpoint))):
        abort(403)
    subject = (request.view_args or {}).get("subject")
    if subject is not None:
        with reading() as connection:
            site = site_of(connection, subject)
        if site is None or not is_own(site):
            abort(404)
        shows(subject)
    if request.endpoint in PROVED:
        return prove_first(current_user.session)
    return None


def shows(subject: str) -> None:
    """Note that this page shows data of a patient."""
    g.setdefault("shown", set()).add(subject)


@pages.app_url_defaults
def _shows_whom_it_leads_to(_endpoint: str, values: dict[str, Any]) -> None:
    """A page that leads to a patient's page names her: that alone is a look."""
    if has_request_context() and "subject" in values:
        shows(values["subject"])


@pages.after_request
def _keep_the_look(response: Response) -> Response:
    """Before a page that shows patients leaves, who looked at whom is kept; where it cannot be, the page stays here."""
    if "shown" in g and response.status_code in A_PAGE:
        with writing() as connection:
            looked(connection, str(request.endpoint), g.shown, by=staff(), now=now())
    return response
