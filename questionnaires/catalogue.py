"""Which instruments are there, and where does the file of one stand?"""

from pathlib import Path

from pydantic import ValidationError

from questionnaires.consistency import contradictions
from questionnaires.definition import Instrument
from questionnaires.located import Document, Refused, faults_of, read
from questionnaires.value_sets import with_named_value_sets

FOLDER = Path(__file__).parent / "instruments"


class UnknownInstrument(LookupError):
    """No instrument has this id, and no file this path."""

    def __init__(self, asked: str, known: list[str]) -> None:
        self.asked, self.known = asked, known
        super().__init__(asked, known)

    def __str__(self) -> str:
        return (
            f"there is no instrument {self.asked}.\n  Give one of {', '.join(self.known)}, or the path of a .toml file."
        )


def load(id_or_path: str | Path, *, beside: Path | str | None = None) -> Instrument:
    """An instrument of the catalogue by its id ("qlq-c30"), or any other by the path of its file.

    beside: a folder, such as the trial file's, whose ID.toml goes before the catalogue's. Case, dots, spaces and
    hyphens of an id are not looked at: "QLQ-C30" is qlq-c30.
    Raises UnknownInstrument, or Refused with the line of every fault in the file.
    """
    document = read(file_of(id_or_path, beside=beside))
    instrument = instrument_of(document)
    if Path(id_or_path).suffix != ".toml" and instrument.id != document.path.stem:
        what = f"this file describes {instrument.id}, not {document.path.stem}"
        raise Refused([document.fault(("id",), what, f"Let its name be {instrument.id}.toml, or change its id.")])
    return instrument


def available() -> list[Instrument]:
    """Every instrument of the catalogue, by id."""
    return [load(file) for file in sorted(FOLDER.glob("*.toml"))]


def file_of(id_or_path: str | Path, *, beside: Path | str | None = None) -> Path:
    """The file that describes an instrument. Raises UnknownInstrument."""
    given = Path(id_or_path)
    if given.suffix == ".toml":
        if given.is_file():
            return given
        raise UnknownInstrument(str(id_or_path), _ids(FOLDER))
    folders = [FOLDER] if beside is None else [Path(beside), FOLDER]
    for folder in folders:
        exact = folder / f"{id_or_path}.toml"
        if exact.is_file():
            return exact
    alike = [file for file in FOLDER.glob("*.toml") if _plain(file.stem) == _plain(str(id_or_path))]
    if not alike:
        raise UnknownInstrument(str(id_or_path), _ids(FOLDER))
    return alike[0]


def instrument_of(document: Document) -> Instrument:
    """The instrument that a document describes. Raises Refused with every fault found."""
    try:
        instrument = Instrument.model_validate(document.data)
    except ValidationError as error:
        raise Refused(faults_of(error, document)) from None
    instrument = with_named_value_sets(instrument, document)
    faults = [document.fault(*each) for each in contradictions(instrument)]
    if faults:
        raise Refused(faults)
    return instrument


def _ids(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.toml"))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
