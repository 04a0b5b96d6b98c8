"""Every kind of file that people have: what libsndfile writes, and what ffmpeg does."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile

from skgenre import AudioError, load_audio
from skgenre.audio import AudioFile, mp3

from .conftest import encode_sound, make_sound, write_sound

RATES = [6000, 8000, 11025, 22050, 44100, 48000, 96000, 192000]
CHANNELS = [1, 2, 3, 6, 8]

#: Largest difference to what was written, of full scale. Other sample formats are compared to
#: what libsndfile itself decodes, and to what was written by their noise.
PRECISION = {
    "PCM_S8": 1 / 127,
    "PCM_U8": 1 / 127,
    "PCM_16": 1 / 32767,
    "PCM_24": 1e-6,
    "PCM_32": 1e-6,
    "FLOAT": 1e-6,
    "DOUBLE": 1e-6,
    "ULAW": 0.02,
    "ALAW": 0.02,
    "ALAC_16": 1 / 32767,
    "ALAC_20": 1e-5,
    "ALAC_24": 1e-6,
    "ALAC_32": 1e-6,
    "DPCM_8": 0.05,
    "DPCM_16": 1 / 32767,
    "DWVW_12": 1 / 2047,
    "DWVW_16": 1 / 32767,
    "DWVW_24": 1e-6,
}
#: libsndfile loses samples as it writes these (the end of a block), so that only its own reading
#: is a reference.
LOSSY_WRITERS = {("SDS", "PCM_S8"), ("SDS", "PCM_16"), ("SDS", "PCM_24"), ("PAF", "PCM_24")}
# RAW has no header, and of SD2 half is in another file.
WRITTEN = [
    (major, minor)
    for major in soundfile.available_formats()
    if major not in ("RAW", "SD2")
    for minor in soundfile.available_subtypes(major)
]


def tone(sample_rate, channels):
    """Below every codec's limit, and not the same in each channel."""
    t = np.arange(round(0.4 * sample_rate)) / sample_rate
    return 0.4 * np.sin(2 * np.pi * 300 * t)[:, None] * np.linspace(1, 0.5, channels)


#: Rates and numbers of channels are tried on these: plain samples, lossless, and two lossy codecs.
#: An MP3 has neither all rates nor more than two channels.
SOME = [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]


def check_read_back(path, kind, sample_rate, channels):
    """Write a tone and compare what is read of it; False if libsndfile does not read it."""
    major, minor = kind
    y = tone(sample_rate, channels)
    try:
        write_sound(path, y, sample_rate, format=major, subtype=minor)
        expected, rate = soundfile.read(path, always_2d=True)
    except (soundfile.LibsndfileError, ValueError):
        return False  # this format has not this rate, or not so many channels
    if rate != sample_rate or len(expected) < len(y):
        return False  # libsndfile itself does not read what it wrote
    found = load_audio(path, sample_rate=sample_rate)
    assert np.isfinite(found).all()
    # Of 16 bits libsndfile makes up to 24 in some containers.
    np.testing.assert_allclose(found, expected.mean(axis=1), atol=1 / 32767)
    written = y.mean(axis=1)
    if kind not in LOSSY_WRITERS and minor in PRECISION:
        np.testing.assert_allclose(found[: len(y)], written, atol=PRECISION[minor])
    elif kind not in LOSSY_WRITERS:
        assert np.corrcoef(found[: len(y)], written)[0, 1] > 0.9
    return True


@pytest.mark.parametrize("kind", WRITTEN, ids="-".join)
def test_every_format_that_libsndfile_writes(tmp_path, kind):
    # Two channels where a format has them; some have one, or one rate.
    for sample_rate, channels in [(48000, 2), (8000, 1), (44100, 1)]:
        if check_read_back(tmp_path / "a.xyz", kind, sample_rate, channels):
            return
    pytest.skip("this libsndfile does not read what it writes")


@pytest.mark.parametrize("kind", SOME, ids="-".join)
def test_every_rate(tmp_path, kind):
    for sample_rate in RATES[1:6] if kind[0] == "MP3" else RATES:
        assert check_read_back(tmp_path / f"{sample_rate}.xyz", kind, sample_rate, 1), sample_rate


@pytest.mark.parametrize("kind", SOME, ids="-".join)
def test_every_number_of_channels(tmp_path, kind):
    for channels in CHANNELS[:2] if kind[0] == "MP3" else CHANNELS:
        assert check_read_back(tmp_path / f"{channels}.xyz", kind, 44100, channels), channels


@pytest.mark.parametrize(
    ("major", "suffix"),
    [("WAV", "mp3"), ("FLAC", "txt"), ("OGG", "raw"), ("MP3", "wav"), ("AU", "")],
)
def test_the_ending_of_a_name_does_not_matter(tmp_path, major, suffix):
    y = make_sound(1)
    right = write_sound(tmp_path / f"a.{major.lower()}", y, format=major)
    wrong = write_sound(tmp_path / f"b.{suffix}", y, format=major)
    np.testing.assert_array_equal(load_audio(wrong), load_audio(right))


# ---------------------------------------------------------------- mp3


@pytest.fixture(scope="module")
def variable_bytes(tmp_path_factory):
    y = np.concatenate([0.1 * make_sound(10, 44100), make_sound(20, 44100, seed=1)])
    y[: 44100 * 10] = 0.1 * np.sin(np.arange(44100 * 10) / 50)
    path = tmp_path_factory.mktemp("variable") / "a.mp3"
    how = {"bitrate_mode": "VARIABLE", "compression_level": 0.5}
    return write_sound(path, y, 44100, **how).read_bytes()


@pytest.fixture
def variable(variable_bytes, tmp_path):
    """An MP3 whose bit rate rises, and its bytes."""
    path = tmp_path / "a.mp3"
    path.write_bytes(variable_bytes)
    return path, variable_bytes


def without_header(content):
    return content[mp3._parse(content[:4]).length :]


def test_an_mp3_of_variable_rate_without_a_header_is_read_in_full(variable, tmp_path):
    path, content = variable
    whole = load_audio(path, sample_rate=44100)
    path.write_bytes(without_header(content))
    with soundfile.SoundFile(path) as file:
        assert file.frames < 0.8 * len(whole)  # what libsndfile believes
    found = load_audio(path, sample_rate=44100)
    # The header told how much of the encoder's delay to leave out.
    delay = np.correlate(found[600_000:620_000], whole[600_000:610_000]).argmax()
    assert abs(delay) < 1200
    np.testing.assert_allclose(found[delay:][: len(whole)], whole, atol=1e-4)
    assert len(whole) + delay <= len(found) < len(whole) + 3 * 1152
    with AudioFile(path, 44100) as audio:
        np.testing.assert_allclose(audio.read(600_000, 600_100), found[600_000:600_100], atol=1e-5)
        assert not audio.ended_early


def test_an_mp3_of_constant_rate_without_a_header_stays_as_it_is(tmp_path):
    how = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}
    path = write_sound(tmp_path / "a.mp3", make_sound(5, 44100), 44100, **how)
    path.write_bytes(without_header(path.read_bytes()))
    expected, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_allclose(load_audio(path, sample_rate=44100), expected, atol=2e-5)


def id3(n):
    size = bytes([n >> 21 & 127, n >> 14 & 127, n >> 7 & 127, n & 127])
    return b"ID3\x03\x00\x00" + size + bytes(n)


#: What libsndfile opens by its first bytes, and MP3, before which tags belong.
TAGGED = [
    *(("WAV", minor) for minor in ("PCM_16", "PCM_24", "FLOAT")),
    *((major, "PCM_16") for major in ("AIFF", "AU", "FLAC", "CAF", "W64", "RF64")),
    *(("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")),
]


@pytest.mark.parametrize(
    ("before", "header"), [(id3(300_000), True), (id3(100) + id3(5), False), (bytes(1000), True)]
)
def test_what_stands_before_an_mp3(variable, before, header):
    path, content = variable
    content = content if header else without_header(content)
    path.write_bytes(content)
    whole = load_audio(path)
    path.write_bytes(before + content + b"TAG" + bytes(125))
    found = load_audio(path)
    assert abs(len(found) - len(whole)) <= 1152
    n = min(len(found), len(whole)) - 1152
    np.testing.assert_allclose(found[:n], whole[:n], atol=1e-4)


@pytest.mark.parametrize("kind", TAGGED, ids="-".join)
def test_a_file_with_id3_has_the_samples_of_one_without(tmp_path, kind):
    path = write_sound(tmp_path / "a.xyz", make_sound(1), format=kind[0], subtype=kind[1])
    expected = load_audio(path)
    content = id3(100) + id3(5) + path.read_bytes()
    path.write_bytes(content)
    for source in (path, io.BytesIO(content)):  # without a warning
        np.testing.assert_array_equal(load_audio(source), expected)


@pytest.mark.parametrize(
    ("major", "at"), [("WAV", 40), ("FLAC", 22)], ids=["no length", "too short a length"]
)
def test_a_wrong_length_behind_id3_is_mended_as_without(tmp_path, major, at):
    content = write_sound(tmp_path / "a", make_sound(2), format=major).read_bytes()
    length = struct.pack(">I", 0 if major == "WAV" else 22050)
    content = id3(99) + content[:at] + length + content[at + 4 :]
    assert len(load_audio(io.BytesIO(content))) == 2 * 22050


# ---------------------------------------------------------------- ffmpeg


@pytest.fixture(params=["m4a:aac", "wma:wmav2", "mka:ac3", "aac:aac", "m4a:alac", "avi:mp2"])
def foreign(request, tmp_path):
    """A file that libsndfile does not know, and what is in it."""
    pytest.importorskip("av")
    suffix, codec = request.param.split(":")
    y = make_sound(5, 44100, channels=2)
    return encode_sound(tmp_path / f"a.{suffix}", codec, y), y.mean(axis=1)


def test_what_ffmpeg_knows(foreign):
    path, y = foreign
    found = load_audio(path, sample_rate=44100)
    assert abs(len(found) - len(y)) < 0.2 * 44100
    start = np.correlate(found[10_000:60_000], y[20_000:30_000], "valid").argmax() + 10_000
    n = min(len(y) - 20_000, len(found) - start) - 5_000
    assert np.corrcoef(found[start:][:n], y[20_000:][:n])[0, 1] > 0.9
    with AudioFile(path, 44100) as audio:
        assert abs(audio.n_samples - len(found)) <= 0.1 * 44100
        for start, stop in [(100_000, 120_000), (7, 5_000)]:
            np.testing.assert_allclose(audio.read(start, stop), found[start:stop], atol=1e-6)
        assert not audio.ended_early
    with open(path, "rb") as file:
        np.testing.assert_array_equal(load_audio(file, sample_rate=44100), found)


def test_a_foreign_file_that_ends_early(foreign):
    path, _ = foreign
    if path.suffix in (".m4a", ".avi", ".wma"):
        pytest.skip("states no length, or its index stands last, so that a part is nothing")
    whole = load_audio(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.warns(UserWarning, match="ends early"):
        y = load_audio(path)
    assert 0.3 * len(whole) < len(y) < 0.6 * len(whole)


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://localhost:9/a.ts\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"[playlist]\nFile1=http://localhost:9/a.mp3\n",
        b"<smil><body><audio src='http://localhost:9/'/></body></smil>",
    ],
)
def test_lists_of_other_files_are_not_followed(tmp_path, content):
    path = tmp_path / "a.m3u8"
    path.write_bytes(content * 20)
    with pytest.raises(AudioError, match="not audio"):
        load_audio(path)


# ---------------------------------------------------------------- headers that promise


def test_memory_is_not_taken_on_the_word_of_a_header(tmp_path):
    path = write_sound(tmp_path / "a.wav", make_sound(1))
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFF_FF00 - 100)  # 13 hours
    path.write_bytes(content)
    load_audio(write_sound(tmp_path / "b.wav", make_sound(1)))  # what is loaded once
    tracemalloc.start()
    try:
        with pytest.warns(UserWarning, match="ends early"):
            assert len(load_audio(path)) == 22050
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
