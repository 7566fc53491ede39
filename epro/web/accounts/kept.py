"""What becomes of a form that is sent after its session has ended? It is kept, and comes back filled in.

What was typed is stored encrypted, for the same person, for half an hour; neither the address nor the cookie holds it.
After she has signed in again the page opens on which the form stands, with what she had typed.
"""

from __future__ import annotations

import json
from datetime import timedelta
from html import escape
from html.parser import HTMLParser

from cryptography.fernet import InvalidToken
from flask import Flask, Response, current_app, request, session
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from epro.acts import drafts
from epro.web.house import house, now, reading, writing

LASTS = timedelta(minutes=30)
WAITING = "form_waits"
NOT_KEPT = {"csrf_token", "password", "new_password"}


def init_app(app: Flask) -> None:
    app.after_request(_fill_in)


def keep_form(user: int) -> str:
    """Keep the form of this request for this person. Returns the page it stands on."""
    page = page_of(request.path)
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in NOT_KEPT]
    body = json.dumps({"path": request.path, "page": page, "fields": fields})
    with writing() as connection:
        drafts.keep(connection, user, house().cipher.encrypt(body), now())
    return page


def waiting_page(user: int) -> str | None:
    """The page whose form waits for this person, if one does."""
    draft = _draft(user)
    if draft is None:
        return None
    session[WAITING] = True
    return str(draft["page"])


def page_of(path: str) -> str:
    """The page a form stands on: its own address, or the nearest above it that can be opened."""
    adapter = current_app.create_url_adapter(request)
    while adapter is not None and path.count("/") > 1:
        try:
            adapter.match(path, method="GET")
        except RequestRedirect:
            return path
        except HTTPException:
            path = path.rsplit("/", 1)[0]
        else:
            return path
    return "/desk"


def _draft(user: int) -> dict | None:  # type: ignore[type-arg]
    with reading() as connection:
        kept = drafts.find(connection, user, since=now() - LASTS)
    try:
        return json.loads(house().cipher.decrypt(kept)) if kept else None
    except (InvalidToken, ValueError):
        return None


def _fill_in(response: Response) -> Response:
    from epro.web.accounts.loading import present

    if not (session.get(WAITING) and request.method == "GET" and response.mimetype == "text/html"):
        return response
    found = present()
    draft = _draft(found.user_id) if found and response.status_code == 200 else None
    if found is None or draft is None or draft["page"] != request.path:
        return response
    response.set_data(filled(response.get_data(as_text=True), draft["path"], draft["fields"]))
    session.pop(WAITING)
    with writing() as connection:
        drafts.forget(connection, found.user_id)
    return response


def filled(html: str, action: str, fields: list[list[str]]) -> str:
    """The page with these fields in the form that is sent to `action`, and what folds around it unfolded."""
    filler = _Filler(action, fields)
    filler.feed(html)
    filler.close()
    return "".join(filler.out)


class _Filler(HTMLParser):
    """Copies a page as it is, but for the controls of one form."""

    def __init__(self, action: str, fields: list[list[str]]) -> None:
        super().__init__(convert_charrefs=False)
        self.action = action
        self.out: list[str] = []
        self.values: dict[str, list[str]] = {}
        for name, value in fields:
            self.values.setdefault(name, []).append(value)
        self.folds: list[int] = []  # where in `out` the open <details> stand
        self.here = False
        self.select = ""
        self.skipping = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "details":
            self.folds.append(len(self.out))
        if tag == "form":
            self.here = given.get("action", self.action) == self.action and given.get("method") == "post"
            for fold in self.folds if self.here else []:
                if " open" not in self.out[fold]:
                    self.out[fold] = self.out[fold].replace("<details", "<details open", 1)
        name = given.get("name") or ""
        if tag == "select":
            self.select = name
        if self.here and (name in self.values or (tag == "option" and self.select in self.values)):
            given = self._with_value(tag, name, given)
        elif self.here and tag == "input" and given.get("type") in ("checkbox", "radio"):
            given.pop("checked", None)
        else:
            self.out.append(self.get_starttag_text() or "")
            return
        self.out.append(_written(tag, given))
        if tag == "textarea":
            self.out.append(escape(self.values[name].pop(0) if self.values[name] else ""))
            self.skipping = True

    def _with_value(self, tag: str, name: str, given: dict[str, str | None]) -> dict[str, str | None]:
        if tag == "option":
            given.pop("selected", None)
            return {**given, "selected": None} if given.get("value") in self.values[self.select] else given
        if tag == "input" and given.get("type") in ("checkbox", "radio"):
            given.pop("checked", None)
            return {**given, "checked": None} if given.get("value", "on") in self.values[name] else given
        if tag == "input" and given.get("type") != "file":
            return {**given, "value": self.values[name][0]}
        return given

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.here = False
        if tag == "details" and self.folds:
            self.folds.pop()
        if tag == "select":
            self.select = ""
        if tag == "textarea":
            self.skipping = False
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.out.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.out.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.out.append(f"<!{decl}>")


def _written(tag: str, attrs: dict[str, str | None]) -> str:
    told = "".join(f" {name}" if value is None else f' {name}="{escape(value)}"' for name, value in attrs.items())
    return f"<{tag}{told}>"
