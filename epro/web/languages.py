"""In which language is a page shown, and where do its words come from?

The interface's words are gettext's: English in the code; every other language in `translations/`, read from its .po
file when first needed, so that nothing has to be compiled. A questionnaire's words never pass through here.
"""

from __future__ import annotations

from functools import cached_property
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, Response, current_app, g, request
from flask_babel import Babel, Domain, get_locale

from epro.web.house import house

TRANSLATIONS = Path(__file__).parent / "translations"
COOKIE = "language"  # also the name in the address by which a page is asked for in another language
YEAR_SECONDS = 365 * 24 * 3600


class Catalogues(Domain):  # type: ignore[misc]
    """The .po files of every language, read once each."""

    def __init__(self) -> None:
        super().__init__()
        self.read: dict[Locale | None, NullTranslations] = {}

    def get_translations(self) -> NullTranslations:
        locale = get_locale()
        if locale not in self.read:
            self.read[locale] = catalogue(str(locale))
        return self.read[locale]


class Interface(Babel):  # type: ignore[misc]
    """Flask-Babel, with our way of reading catalogues."""

    @cached_property
    def domain_instance(self) -> Catalogues:
        return Catalogues()


def catalogue(language: str) -> NullTranslations:
    """The words of a language; those of the code itself where it has no file."""
    file = TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"
    if not file.is_file():
        return NullTranslations()
    compiled = BytesIO()
    with file.open("rb") as lines:
        write_mo(compiled, read_po(lines, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def init_app(app: Flask) -> None:
    words = Interface(app, locale_selector=language).domain_instance.get_translations
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # straight there, once for each word
        lambda word: words().ugettext(word), lambda one, many, n: words().ungettext(one, many, n), newstyle=True
    )
    app.after_request(_keep_choice)
    app.context_processor(lambda: {"locale": get_locale(), "languages": _choices()})


def speak(language: str) -> None:
    """Show this page in a language of its own: the patient's, or that of the form she has begun."""
    g.language = language


def asked_for() -> str | None:
    """The language that the address asks for, if the trial has it."""
    wanted = request.args.get(COOKIE)
    return wanted if wanted in house().protocol.trial.languages else None


def language() -> str:
    """The page's own language, else the one asked for now or before, else the browser's among the trial's."""
    languages = house().protocol.trial.languages
    for wanted in (g.get("language"), asked_for(), request.cookies.get(_cookie())):
        if wanted in languages:
            return str(wanted)
    return request.accept_languages.best_match(languages) or languages[0]


def _choices() -> list[tuple[str, str]]:
    """The trial's other languages, each under its own name."""
    current = language()
    return [
        (code, (Locale.parse(code, sep="-").get_display_name(code) or code).capitalize())
        for code in house().protocol.trial.languages
        if code != current
    ]


def _cookie() -> str:
    """Over https bound to this host, as the session is."""
    return f"__Host-{COOKIE}" if current_app.config["SESSION_COOKIE_SECURE"] else COOKIE


def _keep_choice(response: Response) -> Response:
    wanted = asked_for()
    if wanted:
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        response.set_cookie(_cookie(), wanted, max_age=YEAR_SECONDS, httponly=True, samesite="Lax", secure=secure)
    return response
