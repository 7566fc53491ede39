"""How does a member of staff sign in and out?

Flask-Security on our own tables: e-mail and password (argon2id), nothing that registers, recovers or remembers. Each
request loads its user anew, so that an account that is disabled or moved to other sites feels it at the next request.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask, session
from flask_security import Security, SQLAlchemySessionUserDatastore, logout_user
from flask_security.core import RoleMixin, UserMixin
from flask_security.forms import LoginForm
from sqlalchemy.orm import Mapped, relationship, scoped_session, sessionmaker

from epro.acts.users import ARGON2ID
from epro.house import House
from epro.store.models import Role, User

SIGN_IN = "security.login"
SETTINGS: dict[str, Any] = {
    "SECURITY_URL_PREFIX": "/desk",
    "SECURITY_STATIC_FOLDER": None,
    "SECURITY_LOGIN_USER_TEMPLATE": "desk/login.html",
    "SECURITY_POST_LOGIN_VIEW": "/desk",
    "SECURITY_POST_LOGOUT_VIEW": "/desk/login",
    "SECURITY_PASSWORD_SCHEMES": ["argon2"],
    "SECURITY_DEPRECATED_PASSWORD_SCHEMES": [],
    "SECURITY_PASSWORD_HASH": "argon2",
    "SECURITY_PASSWORD_SINGLE_HASH": True,  # so that an account can be made without the application
    "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": ARGON2ID,
    "SECURITY_EMAIL_VALIDATOR_ARGS": {"check_deliverability": False},
    "SECURITY_RETURN_GENERIC_RESPONSES": True,  # an unknown account and a wrong password look the same
    "SECURITY_API_ENABLED_METHODS": ["session"],
    "SECURITY_FRESHNESS": timedelta(seconds=-1),  # no page that asks for the password anew
    "SECURITY_FLASH_MESSAGES": False,
}


class StaffRole(RoleMixin, Role):  # type: ignore[misc]
    """A role, with what Flask-Security asks of it."""


class Staff(UserMixin, User):
    """An account, with what Flask-Security asks of it."""

    roles: Mapped[list[StaffRole]] = relationship(  # type: ignore[assignment]
        secondary="staff_user_role", lazy="selectin", viewonly=True
    )


class SignIn(LoginForm):
    """E-mail and password; a desk in a ward does not remember who sat there."""

    remember = None


def init_app(app: Flask, house: House) -> None:
    app.config.update(SETTINGS)
    looks = house.engine.execution_options(reading=True)  # signing in writes nothing, and waits for no writer
    sessions = scoped_session(sessionmaker(looks, expire_on_commit=False))
    Security(app, SQLAlchemySessionUserDatastore(sessions, Staff, StaffRole), login_form=SignIn)

    @app.teardown_appcontext
    def forget(_error: BaseException | None) -> None:
        sessions.remove()


def sign_out() -> None:
    """End the session wholly: nothing of it can be used on a tablet that changes hands."""
    logout_user()
    session.clear()
