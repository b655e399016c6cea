"""Every command in the README and the guides runs as it stands, on a small corpus and with few training steps."""

import re
import runpy
import shlex
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from aurl.cli import main
from aurl.data.embedded import chorales_archive

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md") if "```bash" in path.read_text()),
]
NEED_A_MODEL = [f"docs/{name}.md" for name in ("HOW_TO_GENERATE", "EXPORT", "CONSTRAINTS", "EVALUATION")]
"""Their reader has trained one."""
FEW_STEPS = ["training.steps=4", "training.validate_every=2", "data.valid_pieces=2"]


def commands(document: str) -> list[str]:
    """The lines of the document's bash blocks."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]


def run(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one command in this process, shortened where it would train for minutes."""
    words = shlex.split(line)
    if (words[0] == "aurl" and words[1] == "train") or "train_pipeline.py" in words:
        words += FEW_STEPS
    if words[:3] == ["aurl", "demo", "--train"]:
        words += ["--steps", "4"]
    is_script = words[0] == "python"
    monkeypatch.setattr(sys, "argv", words[1:] if is_script else words)
    start: Callable[[], object] = partial(runpy.run_path, words[1], run_name="__main__") if is_script else main
    with pytest.raises(SystemExit) as stop:
        start()
    assert stop.value.code in (0, None), line


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a fresh clone, with a folder of the user's MIDI files in it."""
    for name in ("configs", "train_pipeline.py", "generate_pipeline.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    with zipfile.ZipFile(chorales_archive()) as archive:
        names = [name for name in archive.namelist() if name.endswith(".mid")][:30]
        for name in names:
            archive.extract(name, tmp_path / "my_midi")
        (tmp_path / "my_midi" / "prompt.mid").write_bytes(cut_short(archive.read(names[0])))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cut_short(midi: bytes) -> bytes:
    """The first four bars of a piece."""
    from aurl.music.midi import midi_bytes, read_midi

    score = read_midi(midi)
    return midi_bytes(score.replace(notes=score.notes.take(score.notes.onset < 16 * score.ticks_per_beat)))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_of_the_document_runs(
    document: str, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = commands(document)
    if document in NEED_A_MODEL:
        lines = ["aurl prepare my_midi --out runs/corpus", "aurl train configs/dev.yaml", *lines]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert lines
    for line in lines:
        if line.startswith(("git ", "cd ", "pip ")):
            continue
        if line.startswith("make "):
            assert line.split()[1] in targets
        else:
            run(line, monkeypatch)
