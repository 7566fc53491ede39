"""In which words is an instrument asked?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType

from questionnaires.definition import Instrument, Item
from questionnaires.located import Document, Refused, read
from questionnaires.wording_file import Manifest, WordingFile, misfits, unfit_for_use, wording_file_of

FOLDER = Path(__file__).parent / "wordings"


class UnknownWording(LookupError):
    """No pack has this instrument in this language."""

    def __init__(self, file: Path, known: list[str]) -> None:
        self.file, self.known = file, known
        super().__init__(file, known)

    def __str__(self) -> str:
        pack = self.file.parent.name
        has = f"The pack {pack} has {', '.join(self.known)}." if self.known else f"There is no pack {pack} yet."
        return f"there is no wording {self.file.name} in the pack {pack}.\n  {has}"


@dataclass(frozen=True)
class ItemText:
    """One question as it is shown: its text, the period it asks about (None = none), a label for every option.

    ends: what both ends of a range of numbers mean, None = no such range. longest: how many characters a text may
    have, None = no text is asked for; then there are options.
    """

    text: str
    recall: str | None
    options: tuple[tuple[int, str], ...]
    ends: tuple[str, str] | None = None
    longest: int | None = None


@dataclass(frozen=True)
class Wording:
    """An instrument's words in one language.

    banner: shown on every page; None = nothing to say. sha256: of the file's bytes, kept with every form answered.
    """

    instrument: str
    version: str
    language: str
    pack: str
    edition: int
    title: str
    demonstration: bool
    redistributable: bool
    banner: str | None
    sha256: str
    items: Mapping[str, ItemText]


def wording_of(
    instrument: Instrument,
    language: str,
    pack: str = "demo",
    folder: Path | str | None = None,
    *,
    study: str | None = None,
    on: date | None = None,
) -> Wording:
    """The words of an instrument, from FOLDER/PACK/INSTRUMENT.LANGUAGE.toml.

    folder: where packs are kept; None = those that come with this library. study: the trial that asks; a wording
    licensed for another is refused. on: the day; a wording whose licence has ended is refused. None = not judged.
    Raises UnknownWording, or Refused with the line of every fault in the file.
    """
    file = Path(folder or FOLDER) / pack / f"{instrument.id}.{language}.toml"
    if not file.is_file():
        raise UnknownWording(file, sorted(known.name for known in file.parent.glob("*.toml")))
    document = read(file)
    words = wording_file_of(document)
    faults = [
        *misfits(words, document, instrument),
        *unfit_for_use(words.wording, document, language=language, pack=pack, study=study, on=on),
    ]
    if faults:
        raise Refused(faults)
    return _wording(words, document, instrument)


def _wording(words: WordingFile, document: Document, instrument: Instrument) -> Wording:
    manifest: Manifest = words.wording
    return Wording(
        instrument=manifest.instrument,
        version=manifest.version,
        language=manifest.language,
        pack=manifest.pack,
        edition=manifest.edition,
        title=manifest.title,
        demonstration=manifest.demonstration,
        redistributable=manifest.redistributable,
        banner=manifest.banner,
        sha256=document.sha256,
        items=MappingProxyType({item.code: _item_text(item, words, instrument) for item in instrument.items}),
    )


def _item_text(item: Item, words: WordingFile, instrument: Instrument) -> ItemText:
    text = words.item[item.code]
    recall = None if item.recall is None else words.recall[item.recall]
    response = instrument.responses[item.response]
    if response.is_text:
        return ItemText(text, recall, (), longest=response.longest)
    labels = words.option[item.response]
    if response.between is None:
        return ItemText(text, recall, tuple(zip(response.codes, labels, strict=True)))
    low, high = labels
    named = {response.codes[0]: f"{response.codes[0]} – {low}", response.codes[-1]: f"{response.codes[-1]} – {high}"}
    options = tuple((code, named.get(code, str(code))) for code in response.codes)
    return ItemText(text, recall, options, ends=(low, high))
