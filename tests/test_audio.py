import os
import pickle
import socket

import librosa
import numpy as np
import pytest
import soundfile

from skgenre import AudioError, load_audio
from skgenre.audio import AudioFile
from skgenre.audio.reader import Reader

from .conftest import make_sound, write_sound


@pytest.mark.parametrize(
    ("suffix", "kwargs"),
    [
        ("wav", {"subtype": "PCM_16"}),
        ("wav", {"subtype": "PCM_U8"}),
        ("wav", {"subtype": "PCM_24"}),
        ("wav", {"subtype": "FLOAT"}),
        ("wav", {"subtype": "DOUBLE"}),
        ("au", {"subtype": "PCM_16"}),
        ("aiff", {"subtype": "PCM_16"}),
        ("flac", {"subtype": "PCM_16"}),
        ("ogg", {"subtype": "VORBIS"}),
        ("mp3", {"subtype": "MPEG_LAYER_III"}),
    ],
)
def test_samples_equal_librosa(tmp_path, suffix, kwargs):
    """Resampled, and the mean of two channels."""
    path = write_sound(tmp_path / f"a.{suffix}", make_sound(2, 44100, 2), 44100, **kwargs)
    expected, _ = librosa.load(path, sr=22050)
    found = load_audio(path)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("native", [6000, 16000, 22050, 44101, 48000, 192000])
def test_odd_rates_equal_librosa(tmp_path, native):
    path = write_sound(tmp_path / "a.wav", make_sound(1.7, native), native)
    np.testing.assert_allclose(load_audio(path), librosa.load(path, sr=22050)[0], atol=1e-5)
    np.testing.assert_allclose(
        load_audio(path, sample_rate=16000), librosa.load(path, sr=16000)[0], atol=1e-5
    )


@pytest.mark.parametrize(
    ("suffix", "kwargs"),
    [
        ("wav", {}),
        ("flac", {}),
        ("ogg", {}),
        ("mp3", {"bitrate_mode": "VARIABLE", "compression_level": 0.5}),
    ],
)
@pytest.mark.parametrize("native", [22050, 48000])
def test_an_interval_is_that_part_of_the_whole(tmp_path, suffix, kwargs, native):
    path = write_sound(tmp_path / f"a.{suffix}", make_sound(9, native), native, **kwargs)
    whole = load_audio(path)
    with AudioFile(path) as audio:
        # Forwards, backwards, and across the end.
        for start, stop in [(50_000, 116_150), (120_001, 130_000), (7, 5_000), (190_000, 10**6)]:
            np.testing.assert_allclose(audio.read(start, stop), whole[start:stop], atol=1e-5)
        assert len(audio.read(5, 5)) == 0
        assert len(audio.read(10**7, 10**7 + 5)) == 0
        assert audio.n_samples == len(whole)
        assert not audio.ended_early


@pytest.mark.parametrize(
    ("start", "stop", "message"),
    [
        (-100, 1000, "start=-100 must be an int in the range"),
        (0, -1, "stop=-1 must be an int in the range"),
        (100, 50, "stop=50 must be at least start=100"),
        (0.5, 10, "start=0.5 must be an int"),
        (0, 10.0, "stop=10.0 must be an int"),
        ("0", None, "start='0' must be an int"),
        (None, None, "start=None must be an int"),
        (float("nan"), None, "start=nan must be an int"),
    ],
)
def test_intervals_that_are_none(tmp_path, start, stop, message):
    with (
        AudioFile(write_sound(tmp_path / "a.wav", make_sound(1))) as audio,
        pytest.raises(ValueError, match=message) as error,
    ):
        audio.read(start, stop)
    assert not isinstance(error.value, AudioError)  # the file is not to blame


def test_an_interval_may_be_of_numpys_integers(tmp_path):
    with AudioFile(write_sound(tmp_path / "a.wav", make_sound(1))) as audio:
        assert len(audio.read(np.int64(3), np.uint8(5))) == 2


def test_an_interval_does_not_depend_on_what_was_read_before(tmp_path):
    """Nor on the length, which was asked for in between."""
    path = write_sound(tmp_path / "a.wav", make_sound(2, 44100), 44100)
    whole = load_audio(path)
    with AudioFile(path) as audio:
        audio.read(0, 22050)
        n = audio.n_samples
        np.testing.assert_allclose(audio.read(n - 100, n), whole[-100:], atol=1e-5)


def test_reads_no_more_than_needed(tmp_path, monkeypatch):
    path = write_sound(tmp_path / "a.wav", make_sound(20, 44100), 44100)
    frames = []
    read = soundfile.SoundFile.read

    def counting_read(self, *args, **kwargs):
        block = read(self, *args, **kwargs)
        frames.append(len(block))
        return block

    monkeypatch.setattr(soundfile.SoundFile, "read", counting_read)
    y = load_audio(path, offset=10, duration=2)
    assert len(y) == 44100
    assert sum(frames) < 2.2 * 44100


def test_intervals_at_and_beyond_the_end(tmp_path):
    path = write_sound(tmp_path / "a.wav", make_sound(2))
    assert load_audio(path, offset=1.5).shape == (11025,)
    assert load_audio(path, offset=1.5, duration=10).shape == (11025,)
    assert load_audio(path, offset=5).shape == (0,)
    assert load_audio(path, duration=0).shape == (0,)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"offset": -0.5}, r"offset=-0.5 must be a float in the range \[0.0, inf\)"),
        ({"duration": -1}, "duration=-1 must be a float in the range"),
        ({"offset": float("nan")}, "offset=nan"),
        ({"duration": float("nan")}, "duration=nan"),
        ({"offset": float("inf")}, "offset=inf must be"),
        ({"duration": float("inf")}, "duration=inf must be"),
        ({"sample_rate": 0}, "sample_rate=0 must be an int in the range"),
        ({"sample_rate": -22050}, "sample_rate=-22050"),
        ({"sample_rate": 22050.5}, "sample_rate=22050.5"),
        ({"sample_rate": "22050"}, "sample_rate='22050'"),
    ],
)
def test_bad_intervals_and_rates(tmp_path, kwargs, message):
    path = write_sound(tmp_path / "a.wav", make_sound(1))
    with pytest.raises(ValueError, match=message) as error:
        load_audio(path, **kwargs)
    assert not isinstance(error.value, AudioError)  # the file is not to blame


def test_takes_strings_paths_and_file_objects(tmp_path):
    path = write_sound(tmp_path / "ä ö.wav", make_sound(1))
    expected = load_audio(path)
    np.testing.assert_array_equal(load_audio(str(path)), expected)
    with open(path, "rb") as file:
        file.read(100)  # wherever it stands
        np.testing.assert_array_equal(load_audio(file), expected)
        assert not file.closed


def test_a_file_without_resampling_comes_bit_for_bit(tmp_path):
    y = np.arange(-32768, 32767, 13, dtype=np.int16)
    path = write_sound(tmp_path / "a.wav", y)
    np.testing.assert_array_equal(load_audio(path), y.astype(np.float32) / 32768)


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "flac", "mp3"])
def test_a_file_that_ends_early_is_used_with_a_warning(tmp_path, suffix):
    path = write_sound(tmp_path / f"whole.{suffix}", make_sound(8, 44100), 44100)
    whole = load_audio(path)
    content = path.read_bytes()
    truncated = tmp_path / f"truncated.{suffix}"
    truncated.write_bytes(content[: len(content) // 2])
    with pytest.warns(UserWarning, match=rf"truncated\.{suffix}.* ends early"):
        y = load_audio(truncated)
    assert 0.4 * len(whole) < len(y) < 0.6 * len(whole)
    # Less the last frames, whose neighbours are missing.
    np.testing.assert_allclose(y[:-3000], whole[: len(y) - 3000], atol=1e-5)
    with AudioFile(truncated) as audio:
        assert len(audio.read(whole.size - 500, whole.size)) == 0
        np.testing.assert_allclose(audio.read(100, 5000), whole[100:5000], atol=1e-5)
        assert audio.ended_early


def _corrupt(path):
    path.write_bytes(b"RIFFnothing of the kind" * 50)


def _header_only(path):
    write_sound(path, np.zeros(0))


def _non_finite(path):
    y = make_sound(1)
    y[1234] = np.nan
    write_sound(path, y, subtype="FLOAT")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.touch(), r"is empty \(0 bytes\)"),
        (lambda path: os.mkfifo(path), "not a regular file"),
        (_corrupt, "not audio that libsndfile or ffmpeg can read"),
        (_header_only, "contains no samples"),
        (_non_finite, "NaN or infinite"),
    ],
)
def test_unusable_files_are_audio_errors(tmp_path, make, reason):
    path = tmp_path / "a.wav"
    make(path)
    with pytest.raises(AudioError, match=reason) as caught:
        load_audio(path)
    assert caught.value.path == str(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_other_things_that_are_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path has to be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.wav")
        with pytest.raises(AudioError, match="not a regular file"):
            load_audio("s.wav")
    with pytest.raises(AudioError, match="name too long"):
        load_audio("x" * 5000)
    with pytest.raises(AudioError, match="null"):
        load_audio("a\0b.wav")


def test_the_corrupt_track_of_gtzan(gtzan):
    with pytest.raises(AudioError, match="unknown format"):
        load_audio(gtzan / "genres_original" / "jazz" / "jazz.00054.wav")


def test_audio_errors_survive_pickling():
    error = pickle.loads(pickle.dumps(AudioError("a.wav", "is empty")))
    assert (error.path, error.reason, str(error)) == ("a.wav", "is empty", "a.wav: is empty")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_long_files_are_read_in_blocks(tmp_path, monkeypatch, suffix, channels):
    """The same samples from blocks that end within the interval, of any number of channels."""
    y = np.stack([make_sound(0.5, seed=i) for i in range(channels)], axis=1)
    path = write_sound(tmp_path / f"a.{suffix}", y)
    whole, part = load_audio(path), load_audio(path, offset=0.2, duration=0.1)
    sizes = []
    read = Reader.read

    def watching(self, n):
        sizes.append(n)
        return read(self, n)

    monkeypatch.setattr(Reader, "read", watching)
    monkeypatch.setattr("skgenre.audio.files.BLOCK_VALUES", 1000)
    np.testing.assert_array_equal(load_audio(path), whole)
    np.testing.assert_array_equal(load_audio(path, offset=0.2, duration=0.1), part)
    assert sizes[0] == 1000 // channels
    assert len(sizes) > 10
