"""The trial office's files: first what each row would become, then, confirmed, all of it.

Between the two the file lies nowhere here: the page carries it, under the service's own key.
"""

from __future__ import annotations

import base64
import zlib

from cryptography.fernet import InvalidToken
from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response as AnyResponse

from epro.acts.imports.files import CHANGED, NEW, UNCHANGED, Brought, Kind, Note, bring_in
from epro.acts.imports.kinds import KINDS
from epro.queries.imported import copy_of, imported_files
from epro.refusals import N_, Wrong
from epro.web.desk.gate import allowed, pages
from epro.web.desk.inputs import in_words
from epro.web.house import house, now, reading, staff, writing

BECOMES = {NEW: N_("new"), CHANGED: N_("changed"), UNCHANGED: N_("unchanged")}
MOST_SHOWN = 500  # rows, faults


@pages.get("/imports")
@allowed("files.import")
def imports() -> str:
    """What was imported, and a way in for another file."""
    with reading() as connection:
        files = imported_files(connection)
    return _page(files=files)


@pages.post("/imports")
@allowed("files.import")
def try_file() -> str | tuple[str, int]:
    """What the file would do; nothing is kept."""
    kind, raw = _kind(), _uploaded()
    if raw is None:
        wrong = Brought(kind.code, wrongs=(Wrong("", N_("Choose a file.")),))
        return _page(kind=kind, brought=wrong), 422
    brought = _bring(kind, raw, dry=True)
    if brought.wrongs:
        return _page(kind=kind, brought=brought), 422
    return _page(kind=kind, brought=brought, carried=_sealed(raw))


@pages.post("/imports/confirmed")
@allowed("files.import")
def import_file() -> str | tuple[str, int] | AnyResponse:
    """The file that was tried, held against what is known by now, and kept."""
    kind = _kind()
    try:
        raw = _unsealed(request.form.get("carried", ""))
    except (InvalidToken, ValueError, zlib.error):
        abort(400)
    brought = _bring(kind, raw, dry=False)
    if brought.wrongs:
        return _page(kind=kind, brought=brought), 422
    changed = brought.count(NEW) + brought.count(CHANGED)
    flash(ngettext("The file is imported: %(num)s row.", "The file is imported: %(num)s rows.", changed))
    return redirect(url_for("desk.imports"), 303)


@pages.get("/imports/<int:file>.csv")
@allowed("files.import")
def imported_copy(file: int) -> Response:
    """The cells of a file as they were imported, contact data left out."""
    with reading() as connection:
        found = copy_of(connection, file)
    if found is None:
        abort(404)
    name = f"{found.kind}-{found.imported_at:%Y%m%dT%H%M%SZ}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response("\ufeff" + found.cells, mimetype="text/csv", headers=headers)


def said(one: Note | Wrong) -> str:
    """A note or a fault in the page's language."""
    return str(gettext(one.message)) % one.values


def _bring(kind: Kind, raw: bytes, *, dry: bool) -> Brought:
    standing = house()
    with writing() as connection:
        return bring_in(connection, standing.protocol, standing.cipher, kind, raw, by=staff(), now=now(), dry=dry)


def _kind() -> Kind:
    return KINDS.get(request.form.get("kind", "")) or abort(400)


def _uploaded() -> bytes | None:
    file = request.files.get("file")
    return file.read() if file is not None and file.filename else None


def _sealed(raw: bytes) -> str:
    return house().cipher.encrypt(base64.b64encode(zlib.compress(raw)).decode())


def _unsealed(carried: str) -> bytes:
    return zlib.decompress(base64.b64decode(house().cipher.decrypt(carried)))


def _page(
    *, files: object = None, kind: Kind | None = None, brought: Brought | None = None, carried: str | None = None
) -> str:
    if files is None:
        with reading() as connection:
            files = imported_files(connection)
    protocol = house().protocol
    return render_template(
        "desk/imports.html",
        files=files,
        kinds=[(each, each.required(protocol), each.optional(protocol)) for each in KINDS.values()],
        kind=kind,
        brought=brought,
        carried=carried,
        becomes=BECOMES,
        said=said,
        in_words=in_words,
        most=MOST_SHOWN,
        here=url_for("desk.imports"),
    )
