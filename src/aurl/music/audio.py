"""Score to sound: 48 kHz stereo, its peak at -1 dBFS, one second of release after the last note; WAV or Ogg Vorbis.

The built-in synthesizer (midirenderer, on rustysynth) needs no system package and follows pedals, bends, volume and
pan; the built-in soundfont is General MIDI in 1.3 MB. `fluidsynth` is the command of that name, where installed: for
large soundfonts, also compressed ones (.sf3). Nothing here plays sound.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import wave
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aurl.music.midi import LATEST_TICK, midi_bytes
from aurl.music.score import Controls, Score
from aurl.utils.errors import ConfigError, MidiError, MissingExtraError
from aurl.utils.files import write_file

Synthesizer = Literal["builtin", "fluidsynth"]
Frames = NDArray[np.int16]
"""Samples, one row a frame: left and right."""
SAMPLE_RATE = 48_000
"""Frames a second; midirenderer knows no other."""
PEAK = 10 ** (-1 / 20)
RELEASE_SECONDS = 1.0
FADE_SECONDS = 0.05
EXPRESSION = 11
UNDEFINED_CONTROL = 3
OGG_SERIAL = b"aurl"
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the opposite order: Ogg's checksum is zlib's, read backwards."""


def write_wav(
    score: Score,
    path: str | Path,
    *,
    soundfont: str | Path | None = None,
    synthesizer: Synthesizer = "builtin",
) -> None:
    """Render `score`; raises MidiError without notes, ConfigError for a soundfont or synthesizer that is not there."""
    write_file(path, _wav_bytes(_sound(score, soundfont, synthesizer)))


def write_ogg(
    score: Score,
    path: str | Path,
    *,
    soundfont: str | Path | None = None,
    synthesizer: Synthesizer = "builtin",
) -> None:
    """Render `score` to Ogg Vorbis, a tenth of a WAV; raises as `write_wav`, MissingExtraError without soundfile."""
    require_ogg()
    write_file(path, _ogg_bytes(_sound(score, soundfont, synthesizer)))


def _sound(score: Score, soundfont: str | Path | None, synthesizer: Synthesizer) -> Frames:
    if not len(score.notes):
        raise MidiError("a score without notes makes no sound")
    with _soundfont_file(soundfont) as font:
        frames = _render(score, font, synthesizer)
        if _peak(frames) >= 32767:  # cut off by the synthesizer: once more, with headroom
            frames = _render(_softer(score), font, synthesizer)
    frames = frames[: round((_sounding_seconds(score) + RELEASE_SECONDS) * SAMPLE_RATE)]
    return _fade_out(_normalise(frames))


def require_ogg() -> Any:
    """The library that writes Ogg (extra `audio`); raises MissingExtraError."""
    try:
        import soundfile
    except ImportError:
        raise MissingExtraError.of("soundfile", "audio") from None
    return soundfile


def require_synthesizer(soundfont: str | Path | None = None, synthesizer: Synthesizer = "builtin") -> None:
    """Raise ConfigError unless `write_wav` can use the soundfont and the synthesizer."""
    with _soundfont_file(soundfont):
        if synthesizer == "fluidsynth":
            _fluidsynth_command()


@contextmanager
def _soundfont_file(path: str | Path | None) -> Iterator[Path]:
    builtin = files("aurl") / "assets" / "soundfont" / "sonivox.sf2"
    with as_file(builtin) if path is None else _as_is(Path(path)) as file:
        try:
            with file.open("rb") as stream:
                start = stream.read(12)
        except OSError as error:
            raise ConfigError(f"cannot read the soundfont {file}", found=error.strerror) from None
        if start[:4] != b"RIFF" or start[8:] != b"sfbk":
            raise ConfigError(f"{file} is not a soundfont", found=f"it starts with {start[:4]!r}", hint="give an .sf2")
        yield file


@contextmanager
def _as_is(path: Path) -> Iterator[Path]:
    yield path


def _render(score: Score, soundfont: Path, synthesizer: Synthesizer) -> Frames:
    data = midi_bytes(_with_release(score))
    match synthesizer:
        case "builtin":
            return _frames(io.BytesIO(_midirenderer(data, soundfont)))
        case "fluidsynth":
            return _fluidsynth(data, soundfont)


def _midirenderer(data: bytes, soundfont: Path) -> bytes:
    import midirenderer

    try:
        return midirenderer.render_wave_from(soundfont.read_bytes(), data)
    except BaseException as error:
        if not isinstance(error, RuntimeError) and type(error).__name__ != "PanicException":  # Rust's, no Exception
            raise
        hint = 'only .sf2 is read; the synthesizer "fluidsynth" also reads .sf3'
        raise ConfigError(f"cannot use the soundfont {soundfont}", found=str(error), hint=hint) from None


def _fluidsynth(data: bytes, soundfont: Path) -> Frames:
    command = _fluidsynth_command()
    with tempfile.TemporaryDirectory() as folder:
        midi, sound = Path(folder, "score.mid"), Path(folder, "score.wav")
        midi.write_bytes(data)
        options = ["-n", "-i", "-q", "-r", str(SAMPLE_RATE), "-O", "s16", "-T", "wav", "-F", str(sound)]
        done = subprocess.run(
            [command, *options, str(soundfont.resolve()), str(midi)], capture_output=True, text=True, check=False
        )
        if done.returncode or not sound.is_file():
            raise ConfigError("FluidSynth failed", found=done.stderr.strip()[-200:] or f"status {done.returncode}")
        return _frames(sound)


def _fluidsynth_command() -> str:
    command = shutil.which("fluidsynth")
    if command is None:
        hint = "install it (apt install fluidsynth, brew install fluid-synth) or use the built-in synthesizer"
        raise ConfigError("FluidSynth is not installed", hint=hint)
    return command


def _sounding_seconds(score: Score) -> float:
    """When the last note ends, pedals included."""
    pedals = score.pedals
    last = max(score.end_ticks, int((pedals.onset + pedals.duration).max()) if len(pedals) else 0)
    return float(score.tempo_map.ticks_to_seconds(last))


def _with_release(score: Score) -> Score:
    """`score` with an event that does nothing after the release: rendering stops at the last event."""
    end = score.tempo_map.seconds_to_ticks([_sounding_seconds(score) + RELEASE_SECONDS + 0.1]).clip(max=LATEST_TICK)
    silent = Controls(end, score.notes.track[:1], np.array([UNDEFINED_CONTROL]), np.array([0]))
    return score.replace(controls=Controls.join([score.controls, silent]))


def _softer(score: Score) -> Score:
    """`score` about 12 dB softer, by half the expression on every track; softer velocities would change the timbre."""
    count = len(score.tracks)
    start = Controls(np.zeros(count), np.arange(count), np.full(count, EXPRESSION), np.full(count, 63))
    value = np.where(score.controls.number == EXPRESSION, score.controls.value // 2, score.controls.value)
    return score.replace(controls=Controls.join([start, replace(score.controls, value=value)]))


def _frames(file: Any) -> Frames:
    with wave.open(str(file) if isinstance(file, Path) else file) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2).astype(np.int16)


def _peak(frames: Frames) -> int:
    return max(int(frames.max(initial=0)), -int(frames.min(initial=0)))


def _normalise(frames: Frames) -> Frames:
    gain = np.float32(PEAK * 32767 / max(_peak(frames), 1))
    return np.multiply(frames, gain, out=frames, casting="unsafe")


def _fade_out(frames: Frames) -> Frames:
    end = frames[-round(FADE_SECONDS * SAMPLE_RATE) :]
    end[:] = end * np.linspace(1, 0, len(end))[:, None]
    return frames


def _wav_bytes(frames: Frames) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE)
        sound.writeframes(frames.astype("<i2", copy=False).tobytes())
    return buffer.getvalue()


def _ogg_bytes(frames: Frames) -> bytes:
    """Ogg Vorbis at the library's usual quality, the same bytes each time."""
    buffer = io.BytesIO()
    with require_ogg().SoundFile(buffer, "w", SAMPLE_RATE, 2, format="OGG", subtype="VORBIS") as sound:
        for start in range(0, len(frames), SAMPLE_RATE):  # libsndfile overflows its stack on long writes
            sound.write(frames[start : start + SAMPLE_RATE])
    return _with_serial(buffer.getvalue())


def _with_serial(ogg: bytes) -> bytes:
    """The stream with OGG_SERIAL for the random number that libsndfile gives it, checksums put right (RFC 3533)."""
    pages = bytearray(ogg)
    start = 0
    while start < len(pages):
        table_end = start + 27 + pages[start + 26]
        end = table_end + sum(pages[start + 27 : table_end])
        pages[start + 14 : start + 18] = OGG_SERIAL
        pages[start + 22 : start + 26] = bytes(4)
        reflected = zlib.crc32(pages[start:end].translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
        pages[start + 22 : start + 26] = reflected.to_bytes(4, "big").translate(_REVERSED)
        start = end
    return bytes(pages)
