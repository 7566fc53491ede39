"""Signing in and out, and one's own account: `pages` is the blueprint with all of it."""

from flask import Flask

from epro.web.accounts import kept, loading, own, signing_in, single_sign_on
from epro.web.accounts.blueprint import SIGN_IN, pages
from epro.web.accounts.loading import leave as sign_out
from epro.web.house import StaffActor, current_actor

__all__ = ["SIGN_IN", "StaffActor", "current_actor", "init_app", "kept", "own", "pages", "sign_out", "signing_in"]


def init_app(app: Flask) -> None:
    loading.init_app(app)
    kept.init_app(app)
    single_sign_on.init_app(app)
    app.register_blueprint(pages)
