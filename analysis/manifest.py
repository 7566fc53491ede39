"""Is a trial folder still what was written: which files, how many rows, which SHA-256, cut on which day?"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from analysis.columns import BadTrial, Fault

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What was written, by whom and as known on which day. sha256: of each file, by its path in the folder."""

    data_cut: date
    epro_version: str
    sha256: Mapping[str, str]


def write_manifest(
    folder: Path, *, trial: str, data_cut: date, epro_version: str, files: Sequence[str], rows: Mapping[str, int]
) -> None:
    """Write down every file of the folder as it stands now. rows: of the files that are tables."""
    said = {
        "trial": trial,
        "data_cut": data_cut.isoformat(),
        "epro_version": epro_version,
        "files": {path: {"rows": rows.get(path), "sha256": digest(folder / path)} for path in files},
    }
    (folder / MANIFEST).write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, None where it has none. Raises BadTrial."""
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        sha256 = {path: each["sha256"] for path, each in said["files"].items()}
        return Manifest(date.fromisoformat(said["data_cut"]), said["epro_version"], sha256)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        cure = "Export again, or take it away to read the folder without it."
        raise BadTrial([Fault(MANIFEST, (), None, "this is no manifest", cure)]) from None


def altered(folder: Path, manifest: Manifest | None) -> list[Fault]:
    """Files that are not what the manifest says was written."""
    cure = f"Export again; if the change is meant, take {MANIFEST} away."
    return [
        Fault(path, (), None, "this file is missing or has changed since it was written", cure)
        for path, sha256 in (manifest.sha256.items() if manifest else ())
        if not (folder / path).is_file() or digest(folder / path) != sha256
    ]


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest_of_all(folder: Path, files: Sequence[str]) -> str:
    """One SHA-256 over the SHA-256 of each of these files."""
    return hashlib.sha256("".join(f"{digest(folder / path)}  {path}\n" for path in files).encode()).hexdigest()
