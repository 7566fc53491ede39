"""How does a wording get into a file: an empty one to fill in, a table of words to import, and what is there?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from questionnaires.definition import Instrument
from questionnaires.located import Fault, Refused, parse, read
from questionnaires.wording import Wording
from questionnaires.wording_file import (
    Manifest,
    WordingFile,
    labelled_codes,
    misfits,
    unfit_for_use,
    wording_file_of,
)

if TYPE_CHECKING:
    from questionnaires.grids import Grid

COLUMNS = ("part", "code", "text")

Words = Mapping[tuple[str, str], str]  # (part, code): text; the code of an option is RESPONSE.CODE
Key = tuple[str, str, str, str, int]  # instrument, version, language, pack, edition


class PackIsLocked(ValueError):
    """A wording that has been answered was changed."""

    def __init__(self, key: Key) -> None:
        self.key = key
        super().__init__(key)

    def __str__(self) -> str:
        instrument, version, language, pack, edition = self.key
        return (
            f"forms have been answered in edition {edition} of {instrument} {version} ({language}, pack {pack}), and "
            f"its words have changed since.\n  Write edition = {edition + 1} in its file, or bring the old words back."
        )


def key_of(wording: Wording) -> Key:
    return wording.instrument, wording.version, wording.language, wording.pack, wording.edition


def refuse_change_after_use(wording: Wording, answered: Mapping[Key, str]) -> None:
    """answered: the SHA-256 under which forms were answered, by wording. Raises PackIsLocked."""
    if answered.get(key_of(wording), wording.sha256) != wording.sha256:
        raise PackIsLocked(key_of(wording))


def places(instrument: Instrument) -> Iterator[tuple[str, str]]:
    """Every text that a wording of this instrument has, in the order of a file: (part, code)."""
    yield "title", ""
    for name in instrument.recalls:
        yield "recall", name
    for name, response in instrument.responses.items():
        for code in labelled_codes(response):
            yield "option", f"{name}.{code}"
    for item in instrument.items:
        yield "item", item.code


def written(instrument: Instrument, manifest: Mapping[str, object], words: Words) -> str:
    """A wording file with these words; a text that is not given is left empty, to be filled in."""
    lines = [f"# The words of {instrument.title} {instrument.version}, one table for each part.", "", "[wording]"]
    known = [(key, manifest.get(key)) for key in Manifest.model_fields if key != "title"]
    lines += [f"{key} = {_toml(value)}" for key, value in known if value is not None]
    lines.append(f"title = {_toml(words.get(('title', ''), ''))}")
    if instrument.recalls:
        lines += ["", "[recall]"]
        lines += [f"{name} = {_toml(words.get(('recall', name), ''))}" for name in instrument.recalls]
    labelled = {name: labelled_codes(response) for name, response in instrument.responses.items()}
    if any(labelled.values()):
        lines += ["", "[option]"]
    for name, codes in labelled.items():
        if codes:
            lines.append(f"# the words of {', '.join(map(str, codes))}, in this order")
            labels = [_toml(words.get(("option", f"{name}.{code}"), "")) for code in codes]
            lines.append(f"{name} = [{', '.join(labels)}]")
    lines += ["", "[item]"]
    lines += [f"{item.code} = {_toml(words.get(('item', item.code), ''))}" for item in instrument.items]
    return "\n".join(lines) + "\n"


def words_of(grid: Grid, instrument: Instrument) -> dict[tuple[str, str], str]:
    """The words in a table of three columns: part (title, recall, option, item), code, text.

    Raises Refused with the line of every word that the instrument has no place for, or has twice, or lacks.
    """
    lowered = {name.lower(): name for name in grid.columns}
    absent = [name for name in COLUMNS if name not in lowered]
    if absent:
        cure = "Its columns are part, code, text; `epro wording new --table` writes one to fill in."
        raise Refused([Fault(grid.file, 1, f"this table of words has no column {', '.join(absent)}", cure)])
    needed = list(places(instrument))
    words: dict[tuple[str, str], str] = {}
    faults = []
    rows = zip(*(grid.cells[lowered[name]].tolist() for name in COLUMNS), strict=True)
    for n, (part, code, text) in enumerate(rows):
        place = (str(part or "").strip().lower(), "" if code is None else str(code).strip())
        if place not in needed:
            what = f"{instrument.id} {instrument.version} has no {' '.join(place).strip() or 'such part'}"
            faults.append(grid.fault(n, what, "Correct part and code, or take the line away."))
        elif place in words:
            faults.append(grid.fault(n, f"{' '.join(place).strip()} stands twice", "Keep one of them."))
        else:
            words[place] = "" if text is None else str(text).strip()
            if not words[place]:
                faults.append(grid.fault(n, f"{' '.join(place).strip()} has no text", "Fill it in."))
    lacking = [" ".join(place).strip() for place in needed if place not in words]
    if lacking:
        faults.append(Fault(grid.file, 1, f"there is no line for {', '.join(lacking)}", "Add it."))
    if faults:
        raise Refused(faults)
    return words


def checked(text: str, path: Path, instrument: Instrument) -> Manifest:
    """The manifest of a wording file that fits its instrument. Raises Refused with every fault."""
    document = parse(text, path)
    words = wording_file_of(document)
    faults = list(misfits(words, document, instrument))
    if faults:
        raise Refused(faults)
    return words.wording


@dataclass(frozen=True)
class Listed:
    """One wording file: what it says of itself (None where it cannot be read), and why it may not be used."""

    file: Path
    manifest: Manifest | None
    faults: tuple[Fault, ...]


def listed(folders: Sequence[Path], instruments: Mapping[str, Instrument], *, on: date | None) -> list[Listed]:
    """Every wording file PACK/INSTRUMENT.LANGUAGE.toml of some folders, sound or not. on: the day, or None."""
    files = [file for folder in folders for file in sorted(folder.glob("*/*.toml"))]
    return [_listed(file, instruments, on) for file in files]


def _listed(file: Path, instruments: Mapping[str, Instrument], on: date | None) -> Listed:
    try:
        document = read(file)
        words: WordingFile = wording_file_of(document)
    except Refused as refused:
        return Listed(file, None, refused.faults)
    manifest = words.wording
    instrument = instruments.get(manifest.instrument)
    if instrument is None:
        unknown = document.fault(
            ("wording", "instrument"), f"there is no instrument {manifest.instrument}", "Correct its name."
        )
        return Listed(file, manifest, (unknown,))
    language = file.name.removesuffix(".toml").removeprefix(f"{manifest.instrument}.")
    use = unfit_for_use(manifest, document, language=language, pack=file.parent.name, study=None, on=on)
    return Listed(file, manifest, (*misfits(words, document, instrument), *use))


def _toml(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)
