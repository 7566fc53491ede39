"""Is it still the one who signed in who sits here? Asked before she puts her name under something."""

from __future__ import annotations

import unicodedata

from flask_login import current_user

from epro.acts.users import passwords
from epro.refusals import N_, Refusal, Wrong


def confirm(email: str, password: str) -> None:
    """Hold both components of the login, typed anew, against the account that is signed in. Raises Refusal."""
    known = current_user.password or ""
    same_person = email.strip().lower() == current_user.email.lower()
    same_password = bool(known) and passwords.verify(unicodedata.normalize("NFKD", password), known)
    if not (same_person and same_password):
        raise Refusal([Wrong("password", N_("E-mail or password is not yours. Nothing was signed."))])
