"""Public collections by name: where each is, under which licence, and how its download is checked.

A collection is one archive that `aurl prepare` reads as it is. A checksum is its publisher's or one that others
published; an archive that GitHub makes of a commit has none, but names the commit in its comment, and that is checked
instead. A download that stops goes on where it stopped if the server allows it. Nothing here reads music.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurl.utils.errors import CorpusError, MissingExtraError, UnknownNameError
from aurl.utils.files import make_folder, storage_errors

CHUNK_BYTES = 1 << 18
TIMEOUT_SECONDS = 30.0
PUBLIC_DOMAIN = "music in the public domain; no licence is stated for the files"
OnBytes = Callable[[int, int | None], None]
"""Told the bytes there are, and how many there will be if the server says."""


@dataclass(frozen=True)
class Collection:
    """An archive of music that its makers let people download."""

    name: str
    title: str
    about: str
    licence: str
    homepage: str
    url: str
    file: str
    """Name of the archive on disk."""
    megabytes: float | None = None
    """Size of the archive, where it is known."""
    sha256: str | None = None
    commit: str | None = None
    """The commit of which the archive is made, by GitHub."""

    def __post_init__(self) -> None:
        if not (self.sha256 or self.commit):
            raise ValueError(f"the collection {self.name} has nothing to be checked by")

    def facts(self) -> dict[str, Any]:
        """What a person should know before the download."""
        size = f"{self.megabytes:,.0f} MB" if self.megabytes else "unknown"
        names = ("title", "about", "licence", "homepage")
        return {name: getattr(self, name) for name in names} | {"size": size}


def _github(name: str, repository: str, commit: str, *, title: str, about: str, licence: str) -> Collection:
    home = f"https://github.com/{repository}"
    return Collection(name, title, about, licence, home, f"{home}/archive/{commit}.zip", f"{name}.zip", commit=commit)


_COLUMBIA = "http://hog.ee.columbia.edu/craffel/lmd"
_LAKH = "https://colinraffel.com/projects/lmd/"
_COLLECTIONS = (
    _github(
        "asap", "fosfrancesco/asap-dataset", "afc815c75c42e83a79c03feb6da8a35e77d4c6b8",
        title="ASAP 1.1 (Foscarin et al. 2020)",
        about="classical piano: scores as MIDI and MusicXML, with 1,067 performances of them, beats annotated",
        licence="CC BY-NC-SA 4.0: not for commercial use",
    ),
    _github(
        "giantmidi", "bytedance/GiantMIDI-Piano", "930d535a3882f301f7dd8b4c1389072e04989037",
        title="GiantMIDI-Piano, the part in its repository (Kong et al. 2022)",
        about="159 files transcribed from recordings of piano music; all 10,855 need its disclaimer agreed to by hand",
        licence="CC BY 4.0",
    ),
    Collection(
        "jsb", "JSB Chorales (Boulanger-Lewandowski et al. 2012)",
        "382 four-part chorales of J. S. Bach with the field's oldest splits", PUBLIC_DOMAIN,
        "http://www-etud.iro.umontreal.ca/~boulanni/icml2012",
        "http://www-etud.iro.umontreal.ca/~boulanni/JSB%20Chorales.zip", "jsb.zip", 0.2,
        "69924294546a71620c06374085cd6b0300665ea215e2f854f65a11929f1e723c",
    ),
    Collection(
        "lakh", "Lakh MIDI Dataset, full (Raffel 2016)", "176,581 MIDI files of every kind, collected from the web",
        "CC BY 4.0 for the collection; the songs are their owners'", _LAKH, f"{_COLUMBIA}/lmd_full.tar.gz",
        "lakh.tar.gz", 1768, "6fcfe2ac49ca08f3f214cec86ab138d4fc4dabcd7f27f491a838dae6db45a12b",
    ),
    Collection(
        "lakh-matched", "Lakh MIDI Dataset, matched (Raffel 2016)",
        "45,129 files matched to entries of the Million Song Dataset",
        "CC BY 4.0 for the collection; the songs are their owners'", _LAKH, f"{_COLUMBIA}/lmd_matched.tar.gz",
        "lakh-matched.tar.gz", 1407, "621ff830aed771f469e5bfa13dc12a33c6ed69090adeda63d0b5c47783af0191",
    ),
    Collection(
        "maestro", "MAESTRO 3.0, MIDI only (Hawthorne et al. 2019)",
        "1,276 performances of classical piano music from a competition, with pedal and fine timing",
        "CC BY-NC-SA 4.0: not for commercial use", "https://magenta.tensorflow.org/datasets/maestro",
        "https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/maestro-v3.0.0-midi.zip", "maestro.zip",
        58.4, "70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c",
    ),
    _github(
        "nottingham", "jukedeck/nottingham-dataset", "0992bb6cd864f6d4b90d6663e08c0ef53ffaa08f",
        title="Nottingham, cleaned (Foxley; Jukedeck)",
        about="1,034 folk tunes with chords, as MIDI and ABC", licence="GPL-3.0",
    ),
    _github(
        "openscore-lieder", "OpenScore/Lieder", "bca122458de6da362abe62dd6aec62e25d7759b1",
        title="OpenScore Lieder Corpus (Gotham et al. 2018)",
        about="over 1,400 songs of the 19th century as MusicXML: voice, words and piano", licence="CC0 1.0",
    ),
    _github(
        "pop909", "music-x-lab/POP909-Dataset", "d83e6edba6872a704f5d3b8b32f5cb540088dae6",
        title="POP909 (Wang et al. 2020)",
        about="909 Chinese pop songs arranged for piano: melody, bridge, accompaniment, with chords, keys and beats",
        licence="MIT for the arrangements; the songs themselves are in copyright",
    ),
)  # fmt: skip
COLLECTIONS: dict[str, Collection] = {collection.name: collection for collection in _COLLECTIONS}


def find_collection(name: str) -> Collection:
    """The collection called `name`; raises UnknownNameError with the closest name."""
    if name not in COLLECTIONS:
        raise UnknownNameError.among("collection", name, COLLECTIONS)
    return COLLECTIONS[name]


def download(collection: Collection, folder: Path, on_bytes: OnBytes | None = None) -> Path:
    """Put the archive into `folder` and check it; one that is there and whole is not fetched again.

    Raises CorpusError if it cannot be fetched or is not what it should be, StorageError if it cannot be kept.
    """
    try:
        import pooch  # type: ignore[import-untyped, unused-ignore]
        from requests.exceptions import RequestException
    except ImportError:
        raise MissingExtraError.of("pooch", "catalogue") from None
    make_folder(folder)
    path = folder / collection.file
    part = folder / f"{collection.file}.part"
    pooch.get_logger().setLevel("WARNING")
    try:
        with storage_errors(folder):
            pooch.retrieve(
                collection.url,
                collection.sha256 and f"sha256:{collection.sha256}",
                fname=collection.file,
                path=folder,
                downloader=_Resuming(part, on_bytes or (lambda _done, _total: None)),
            )
    except RequestException as error:
        hint = "run the same command again: it goes on where it stopped"
        raise CorpusError(f"cannot download {collection.url}", found=error, hint=hint) from None
    except ValueError as error:  # what pooch raises for another checksum
        hint = "the publisher may have changed it: run the same command again, or report it"
        raise CorpusError(f"{collection.url} is not what it was", found=error, hint=hint) from None
    if collection.commit:
        _check_commit(path, collection.commit)
    return path


class _Resuming:
    """A downloader for pooch that keeps what it has in `part` and asks the server for the rest."""

    def __init__(self, part: Path, on_bytes: OnBytes) -> None:
        self.part, self.on_bytes = part, on_bytes

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        import requests

        done = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                self.part.unlink()  # it is whole, or of another file: there is no telling which
                return self(url, output_file, _pooch)
            response.raise_for_status()
            is_rest = response.status_code == requests.codes.partial_content
            done = done if is_rest else 0
            length = response.headers.get("Content-Length")
            total = done + int(length) if length else None
            with self.part.open("ab" if is_rest else "wb") as file:
                for chunk in response.iter_content(CHUNK_BYTES):
                    file.write(chunk)
                    done += len(chunk)
                    self.on_bytes(done, total)
        shutil.move(self.part, output_file)
        return None


def _check_commit(path: Path, commit: str) -> None:
    """Raise CorpusError, and remove the file, unless the archive says that it was made of `commit`."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = archive.comment.decode("ascii", "replace")
    except (zipfile.BadZipFile, OSError) as error:
        found = str(error)
    if found != commit:
        path.unlink()
        raise CorpusError(f"{path.name} is not the archive of commit {commit}", found=found or "no commit")
