"""In which words is an instrument asked?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from questionnaires.definition import Code, Instrument, Name, Text
from questionnaires.located import Document, Fault, Key, Refused, faults_of, read

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
    """One question as it is shown: its text, the period it asks about (None = none), a label for every option."""

    text: str
    recall: str | None
    options: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Wording:
    """An instrument's words in one language.

    banner: shown on every page; None = nothing to say. sha256: of the file's bytes, kept with every form answered.
    """

    instrument: str
    version: str
    language: str
    pack: str
    title: str
    demonstration: bool
    banner: str | None
    sha256: str
    items: Mapping[str, ItemText]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Manifest(_Part):
    instrument: Name
    version: Text
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")]
    pack: Name
    source: Text
    redistributable: StrictBool
    demonstration: StrictBool = False
    banner: Text | None = None
    title: Text


class _Pack(_Part):
    """A wording file. option: one label per option of each response set, in the order of its codes."""

    wording: _Manifest
    recall: dict[Name, Text] = {}
    option: dict[Name, tuple[Text, ...]]
    item: dict[Code, Text]


def wording_of(instrument: Instrument, language: str, pack: str = "demo", folder: Path | str | None = None) -> Wording:
    """The words of an instrument, from FOLDER/PACK/INSTRUMENT.LANGUAGE.toml.

    folder: where packs are kept; None = those that come with this library.
    Raises UnknownWording, or Refused with the line of every fault in the file.
    """
    file = Path(folder or FOLDER) / pack / f"{instrument.id}.{language}.toml"
    if not file.is_file():
        raise UnknownWording(file, sorted(known.name for known in file.parent.glob("*.toml")))
    document = read(file)
    try:
        words = _Pack.model_validate(document.data)
    except ValidationError as error:
        raise Refused(faults_of(error, document)) from None
    faults = [
        *_manifest_faults(words.wording, document, instrument, language, pack),
        *_set_faults(words, document, instrument),
        *_option_faults(words, document, instrument),
    ]
    if faults:
        raise Refused(faults)
    return _wording(words, document, instrument)


def _wording(words: _Pack, document: Document, instrument: Instrument) -> Wording:
    items = {
        item.code: ItemText(
            words.item[item.code],
            None if item.recall is None else words.recall[item.recall],
            tuple(zip(instrument.responses[item.response].options, words.option[item.response], strict=True)),
        )
        for item in instrument.items
    }
    manifest = words.wording
    return Wording(
        instrument=manifest.instrument,
        version=manifest.version,
        language=manifest.language,
        pack=manifest.pack,
        title=manifest.title,
        demonstration=manifest.demonstration,
        banner=manifest.banner,
        sha256=document.sha256,
        items=MappingProxyType(items),
    )


def _manifest_faults(
    manifest: _Manifest, document: Document, instrument: Instrument, language: str, pack: str
) -> Iterator[Fault]:
    expected = {"instrument": instrument.id, "version": instrument.version, "language": language, "pack": pack}
    for key, value in expected.items():
        if getattr(manifest, key) != value:
            yield document.fault(
                ("wording", key),
                f"this file is for {key} {getattr(manifest, key)}, but {value} is asked for",
                f'Use the file made for {value}; write {key} = "{value}" only if its words are.',
            )
    if manifest.demonstration and manifest.banner is None:
        yield document.fault(
            ("wording", "demonstration"), "a demonstration has no banner", "Say in `banner` what these words are not."
        )


def _set_faults(words: _Pack, document: Document, instrument: Instrument) -> Iterator[Fault]:
    """Parts that the instrument has and the file has not, or the other way round."""
    parts: list[tuple[str, Mapping[str, object], Mapping[str, object]]] = [
        ("item", words.item, {item.code: item for item in instrument.items}),
        ("recall", words.recall, instrument.recalls),
        ("option", words.option, instrument.responses),
    ]
    for table, given, needed in parts:
        name = f"{instrument.id} {instrument.version}"
        for code in needed.keys() - given.keys():
            yield document.fault((table,), f"[{table}] lacks {code}", f"Add the words of {code}, which {name} has.")
        for code in given.keys() - needed.keys():
            keys: tuple[Key, ...] = (table, code)
            yield document.fault(keys, f"[{table}] has {code}, which {name} has not", "Take it away.")


def _option_faults(words: _Pack, document: Document, instrument: Instrument) -> Iterator[Fault]:
    for name, labels in words.option.items():
        response = instrument.responses.get(name)
        if response is None:
            continue
        if len(labels) != len(response.options):
            yield document.fault(
                ("option", name),
                f"{name} has {len(labels)} labels for {len(response.options)} options",
                f"Give one label for each of {' '.join(map(str, response.options))}, in that order.",
            )
        for n in range(len(labels)):
            if labels[n] in labels[:n]:
                yield document.fault(
                    ("option", name, n), f"{name} has two options called “{labels[n]}”", "Give each its own label."
                )
