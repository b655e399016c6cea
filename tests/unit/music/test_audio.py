import io
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from aurl.music.audio import RELEASE_SECONDS, SAMPLE_RATE, write_ogg, write_wav
from aurl.music.midi import midi_bytes
from aurl.music.score import Controls, Notes, PitchBends, Score, Track
from aurl.utils.errors import ConfigError, MidiError, MissingExtraError

FULL_SCALE = 32767


def score_of(*rows, program=0, is_drum=False, **tables):
    """Rows are onset and duration in beats at 120 a minute (two to the second), and pitch."""
    onset, duration, pitch = np.array(rows).T
    flat = np.ones(len(rows), int)
    notes = Notes(onset * 480, duration * 480, pitch, 100 * flat, 0 * flat)
    return Score(480, notes, (Track(program, is_drum),), **tables)


def rendered(score, tmp_path, **options):
    write_wav(score, tmp_path / "a.wav", **options)
    with wave.open(str(tmp_path / "a.wav")) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (2, 2, SAMPLE_RATE)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2).astype(float) / FULL_SCALE


def loudness(frames, start, end):
    return frames[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)].std()


def loudest_hertz(frames):
    part = frames[4800:24000, 0]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 18))
    return np.argmax(spectrum) * SAMPLE_RATE / (1 << 18)


def pedal(*rows):
    time, value = np.array(rows).T
    return Controls(time, np.zeros(len(rows)), np.full(len(rows), 64), value)


def test_a_note_sounds_at_its_pitch_and_dies_away(tmp_path):
    frames = rendered(score_of((0, 2, 69)), tmp_path)
    assert loudest_hertz(frames) == pytest.approx(440, rel=0.005)
    assert len(frames) == round((1 + RELEASE_SECONDS) * SAMPLE_RATE)
    assert loudness(frames, 1.8, 2) < 0.01 * loudness(frames, 0, 0.5)
    assert frames[-1].tolist() == [0, 0]


def test_the_peak_is_one_decibel_below_full_scale(tmp_path):
    frames = rendered(score_of((0, 1, 60)), tmp_path)
    assert np.abs(frames).max() == pytest.approx(10 ** (-1 / 20), abs=0.001)


def test_the_pedal_holds_a_note_beyond_its_end(tmp_path):
    dry = rendered(score_of((0, 1, 60), (5, 1, 90)), tmp_path)
    held = rendered(score_of((0, 1, 60), (5, 1, 90), controls=pedal((0, 127), (2400, 0))), tmp_path)
    assert loudness(held, 1.5, 2) > 20 * loudness(dry, 1.5, 2)


def test_a_pedal_lifted_after_the_last_note_is_heard_to_its_end(tmp_path):
    frames = rendered(score_of((0, 1, 60), controls=pedal((0, 127), (1920, 0))), tmp_path)
    assert len(frames) == round((2 + RELEASE_SECONDS) * SAMPLE_RATE)
    assert loudness(frames, 1.5, 2) > 0.1 * loudness(frames, 0, 0.5)


def test_a_bend_raises_the_pitch(tmp_path):
    bends = PitchBends(np.array([0]), np.array([0]), np.array([4096]))
    assert loudest_hertz(rendered(score_of((0, 2, 69), pitch_bends=bends), tmp_path)) == pytest.approx(466.2, rel=0.005)


def test_a_long_note_of_an_organ_does_not_fade(tmp_path):
    frames = rendered(score_of((0, 20, 69), program=19), tmp_path)
    assert loudness(frames, 9, 9.5) == pytest.approx(loudness(frames, 1, 1.5), rel=0.2)


def test_drums_are_not_a_piano(tmp_path):
    drum, piano = (rendered(score_of((0, 1, 38), is_drum=kind), tmp_path) for kind in (True, False))
    assert loudness(drum, 0, 0.1) > 0
    assert not np.allclose(drum, piano, atol=0.05)


def test_notes_late_in_a_piece_sound_like_early_ones(tmp_path):
    frames = rendered(score_of((0, 1, 60), (400, 1, 60)), tmp_path)
    assert loudness(frames, 200, 200.5) == pytest.approx(loudness(frames, 0, 0.5), rel=0.1)
    assert loudness(frames, 100, 101) == pytest.approx(0, abs=1e-4)


def test_many_loud_notes_are_not_clipped(tmp_path):
    expression = Controls(np.array([0]), np.array([0]), np.array([11]), np.array([127]))
    frames = rendered(score_of(*((0, 1, pitch) for pitch in range(30, 90)), controls=expression), tmp_path)
    highest = np.abs(frames) > np.abs(frames).max() - 1.5 / FULL_SCALE
    assert highest.sum() < 5
    assert np.abs(frames).max() == pytest.approx(10 ** (-1 / 20), abs=0.001)


def test_events_after_the_last_note_do_not_lengthen_it(tmp_path):
    volume = Controls(np.array([480 * 60]), np.array([0]), np.array([7]), np.array([100]))
    assert len(rendered(score_of((0, 1, 60), controls=volume), tmp_path)) == round(1.5 * SAMPLE_RATE)


def test_a_score_without_notes_is_refused(tmp_path):
    with pytest.raises(MidiError, match="no sound"):
        write_wav(Score(), tmp_path / "a.wav")


def test_a_soundfont_that_is_missing_or_another_thing_is_refused(tmp_path):
    score = score_of((0, 1, 60))
    with pytest.raises(ConfigError, match="No such file"):
        write_wav(score, tmp_path / "a.wav", soundfont=tmp_path / "missing.sf2")
    (tmp_path / "text.sf2").write_bytes(b"not a soundfont")
    with pytest.raises(ConfigError, match="not a soundfont"):
        write_wav(score, tmp_path / "a.wav", soundfont=tmp_path / "text.sf2")
    (tmp_path / "cut.sf2").write_bytes(b"RIFF\x10\0\0\0sfbk")
    with pytest.raises(ConfigError, match="cannot use the soundfont"):
        write_wav(score, tmp_path / "a.wav", soundfont=tmp_path / "cut.sf2")
    assert not (tmp_path / "a.wav").exists()


def test_fluidsynth_that_is_not_installed_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt install fluidsynth"):
        write_wav(score_of((0, 1, 60)), tmp_path / "a.wav", synthesizer="fluidsynth")


def fake_fluidsynth(folder: Path, monkeypatch, body: str) -> None:
    """A command of that name that runs `body` with `arguments`, its command line."""
    command = folder / "fluidsynth"
    command.write_text(f"#!{sys.executable}\nimport sys, pathlib\narguments = sys.argv[1:]\n{body}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_fluidsynth_renders_the_score_with_the_soundfont(tmp_path, monkeypatch):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setparams((2, 2, SAMPLE_RATE, 0, "NONE", ""))
        sound.writeframes(np.full((SAMPLE_RATE, 2), 1000, "<i2").tobytes())
    (tmp_path / "sound.wav").write_bytes(buffer.getvalue())
    fake_fluidsynth(
        tmp_path,
        monkeypatch,
        f"pathlib.Path({str(tmp_path)!r}, 'arguments').write_text(chr(10).join(arguments))\n"
        f"pathlib.Path({str(tmp_path)!r}, 'midi').write_bytes(pathlib.Path(arguments[-1]).read_bytes())\n"
        f"data = pathlib.Path({str(tmp_path)!r}, 'sound.wav').read_bytes()\n"
        "pathlib.Path(arguments[arguments.index('-F') + 1]).write_bytes(data)",
    )
    (tmp_path / "font.sf2").write_bytes(b"RIFF\x10\0\0\0sfbk")
    score = score_of((0, 1, 60))
    frames = rendered(score, tmp_path, synthesizer="fluidsynth", soundfont=tmp_path / "font.sf2")
    assert len(frames) == SAMPLE_RATE
    assert frames[0, 0] == pytest.approx(10 ** (-1 / 20), abs=0.001)
    arguments = (tmp_path / "arguments").read_text().split("\n")
    assert arguments[-2] == str(tmp_path / "font.sf2")
    assert arguments[arguments.index("-r") + 1] == str(SAMPLE_RATE)
    assert (tmp_path / "midi").read_bytes()[:4] == midi_bytes(score)[:4]


def test_fluidsynth_that_fails_is_reported(tmp_path, monkeypatch):
    fake_fluidsynth(tmp_path, monkeypatch, "sys.exit('parameter out of range')")
    with pytest.raises(ConfigError, match="parameter out of range"):
        write_wav(score_of((0, 1, 60)), tmp_path / "a.wav", synthesizer="fluidsynth")


def test_an_ogg_holds_the_same_sound_and_the_same_bytes_each_time(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    score = score_of((0, 1, 69))
    for name in ("a", "b"):
        write_ogg(score, tmp_path / f"{name}.ogg")
    assert (tmp_path / "a.ogg").read_bytes() == (tmp_path / "b.ogg").read_bytes()
    frames, rate = soundfile.read(tmp_path / "a.ogg", dtype="int16")
    wav = rendered(score, tmp_path)
    assert rate == SAMPLE_RATE
    assert frames.shape == wav.shape
    assert np.corrcoef(frames[:, 0], wav[:, 0])[0, 1] > 0.99


def test_ogg_without_its_library_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtraError, match="audio"):
        write_ogg(score_of((0, 1, 60)), tmp_path / "a.ogg")
