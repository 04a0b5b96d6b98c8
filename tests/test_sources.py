"""Where tracks come from: file objects of all kinds, every container, and the reasons for none."""

import io
import os
import re
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import tracemalloc
import zipfile

import librosa
import numpy as np
import pytest
import soundfile

from skgenre import (
    AudioError,
    MFCCSegmenter,
    UnreadableTracksError,
    load_audio,
)
from skgenre.audio import AudioFile, mp3
from skgenre.datasets import find_duplicates

from .conftest import encode_sound, make_sound, write_sound

av = pytest.importorskip("av")
assert_array_equal = np.testing.assert_array_equal


# ---------------------------------------------------------------- containers


#: `test_formats` reads from paths what libsndfile writes; these stand for its kinds of readers.
LIBSNDFILE = [
    *(
        ("WAV", "PCM_16"),
        ("WAV", "GSM610"),
        ("AIFF", "FLOAT"),
        ("AU", "G721_32"),
        ("SDS", "PCM_16"),
    ),
    *(("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS")),
]
FFMPEG = [
    *("m4a:aac", "m4a:alac", "mp4:libmp3lame", "mov:pcm_s24be", "3gp:aac", "mka:ac3", "mka:flac"),
    *(
        "webm:libopus",
        "wma:wmav2",
        "aac:aac",
        "avi:mp2",
        "ts:aac",
        "flv:aac",
        "rm:ac3",
        "swf:libmp3lame",
    ),
    *("oga:flac", "wav:libmp3lame", "wav:ac3", "tta:tta", "wv:wavpack", "voc:pcm_u8", "caf:alac"),
]


def write_container(path, kind):
    """Write a container."""
    if isinstance(kind, tuple):
        major, minor = kind
        rate = {"GSM610": 8000, "OPUS": 48000, "G721_32": 8000}.get(minor, 44100)
        write_sound(path, make_sound(0.4, rate), rate, format=major, subtype=minor)
    else:
        suffix, codec = kind.split(":")
        rate = 48000 if codec == "libopus" else 44100
        path = path.with_suffix(f".{suffix}")
        encode_sound(path, codec, make_sound(0.6, rate, channels=2), rate)
    return path


class Stream:
    """Bytes that cannot seek, in pieces, as of an HTTP body."""

    def __init__(self, content):
        self._content = io.BytesIO(content)

    def read(self, n=-1):
        return self._content.read(n)


class Shy(io.BytesIO):
    """A file that gives less than it is asked for."""

    def read(self, n=-1):
        return super().read(min(n, 1000) if n > 0 else n)


@pytest.mark.parametrize("kind", [*LIBSNDFILE, *FFMPEG], ids=str)
def test_every_container_from_a_path_and_a_file_object(tmp_path, kind):
    path = write_container(tmp_path / "a", kind)
    expected = load_audio(path)
    assert len(expected) > 3000
    content = path.read_bytes()
    with (
        open(path, "rb") as opened,
        open(path, "rb", buffering=0) as unbuffered,
        tempfile.SpooledTemporaryFile() as spooled,
    ):
        spooled.write(content)
        for file in (io.BytesIO(content), opened, unbuffered, spooled, Stream(content)):
            assert_array_equal(load_audio(file), expected)
    with AudioFile(io.BytesIO(content)) as audio:  # and parts of it, back and forth
        for start, stop in ((2000, 3000), (100, 1100)):
            np.testing.assert_allclose(audio.read(start, stop), expected[start:stop], atol=1e-5)


@pytest.fixture(scope="module")
def songs():
    """MP3s of constant and of rising bit rate, with a header that tells the length and without."""
    y = np.concatenate([0.1 * np.sin(np.arange(5 * 44100) / 50), make_sound(5, 44100)])
    out = {}
    for mode in ("CONSTANT", "VARIABLE"):
        file = io.BytesIO()
        write = {"format": "MP3", "bitrate_mode": mode, "compression_level": 0.5}
        with soundfile.SoundFile(file, "w", 44100, 1, **write) as sound:
            sound.write(y)
        out[mode] = file.getvalue()
        out[f"{mode} without length"] = out[mode][mp3._parse(out[mode][:4]).length :]
    return out


@pytest.mark.parametrize("how", [f"{m}{n}" for m in ("CONSTANT", "VARIABLE") for n in ("", " w")])
def test_an_mp3_in_memory_is_read_from_its_beginning_to_its_end(songs, tmp_path, how):
    content = songs[how.replace(" w", " without length")]
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    y = load_audio(io.BytesIO(content))
    assert_array_equal(y, load_audio(path))
    assert abs(len(y) - 10 * 22050) < 1200
    assert 0.05 < np.abs(y[2000:4000]).max() < 0.2  # the quiet half comes first


@pytest.fixture
def restless():
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
def test_one_file_object_in_many_threads(tmp_path):
    content = write_sound(tmp_path / "a.flac", make_sound(3)).read_bytes()
    expected = load_audio(io.BytesIO(content))
    file, found = Shy(content), []
    threads = [threading.Thread(target=lambda: found.append(load_audio(file))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    for y in found:
        assert_array_equal(y, expected)


def in_tar(folder, paths, mode="w"):
    """Members of one archive."""
    with tarfile.open(folder / "a.tar", mode) as archive:
        for path in paths:
            archive.add(path, path.name)
    archive = tarfile.open(folder / "a.tar")  # noqa: SIM115  # as long as its members
    return [archive.extractfile(path.name) for path in paths]


def in_compressed_tar(folder, paths):
    return in_tar(folder, paths, "w:gz")


def in_zip(folder, paths, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(folder / "a.zip", "w", compression) as archive:
        for path in paths:
            archive.write(path, path.name)
    archive = zipfile.ZipFile(folder / "a.zip")
    return [archive.open(path.name) for path in paths]


def buffers_of_one_file(folder, paths):
    """Several buffers of the same raw file, which all move it."""
    raw = open(paths[0], "rb", buffering=0)  # noqa: SIM115  # as long as its buffers
    return [io.BufferedReader(raw) for _ in paths]


def the_same_file(folder, paths):
    return [open(paths[0], "rb")] * len(paths)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize(
    ("share", "suffix"),
    [
        *((in_tar, "wav"), (in_tar, "mp3"), (in_compressed_tar, "wav"), (in_zip, "wav")),
        *((buffers_of_one_file, "wav"), (the_same_file, "mp3")),
    ],
)
def test_file_objects_with_one_source_do_not_depend_on_the_number_of_jobs(tmp_path, share, suffix):
    paths = [
        write_sound(tmp_path / f"{i}.{suffix}", make_sound(1.1, seed=i), 22050) for i in range(8)
    ]
    expected = MFCCSegmenter(segment_duration=0.5, n_segments=2).transform(paths)
    if share in (buffers_of_one_file, the_same_file):
        expected[:] = expected[0]
    files = share(tmp_path, paths)
    for n_jobs in (1, 4):
        front = MFCCSegmenter(segment_duration=0.5, n_segments=2, n_jobs=n_jobs)
        assert_array_equal(front.transform(files), expected)


def test_a_file_object_can_be_used_after_it_was_read(tmp_path):
    path = write_sound(tmp_path / "a.wav", make_sound(3))
    with open(path, "rb") as file:
        start = file.read(5000)
        load_audio(file)
        file.seek(0)
        assert file.read() == path.read_bytes()
        assert file.read() == b""
    assert start == path.read_bytes()[:5000]


def test_a_large_file_object_takes_no_memory(tmp_path, monkeypatch):
    path = write_sound(tmp_path / "a.wav", make_sound(60))
    monkeypatch.setattr("skgenre.audio.sources.MAX_IN_MEMORY", 100_000)
    monkeypatch.setattr("skgenre.audio.sources._COPIED_AT_A_TIME", 50_000)
    with open(path, "rb") as file:
        stream = Stream(b"")
        stream._content = file
        tracemalloc.start()
        try:
            with AudioFile(stream) as audio:
                assert len(audio.read(22050, 44100)) == 22050
            assert tracemalloc.get_traced_memory()[1] < 1e6
        finally:
            tracemalloc.stop()


def test_pipes_and_sockets_are_read_into_memory(tmp_path):
    path = write_sound(tmp_path / "a.wav", make_sound(0.5))
    expected = load_audio(path)
    code = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())"
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as process:
        assert_array_equal(load_audio(process.stdout), expected)
    here, there = socket.socketpair()
    with here, there, there.makefile("rb") as file:
        writer = threading.Thread(target=lambda: (here.sendall(path.read_bytes()), here.close()))
        writer.start()
        segmenter = MFCCSegmenter(segment_duration=0.1, n_segments=3)
        assert_array_equal(segmenter.transform([file]), segmenter.transform([path]))
        writer.join()


# ---------------------------------------------------------------- file objects that give nothing


class UploadFile:
    """What FastAPI hands to a user's function."""

    def __init__(self, content):
        self.file = io.BytesIO(content)
        self.filename = "song.wav"

    async def read(self, size=-1):
        return self.file.read(size)

    async def seek(self, offset):
        self.file.seek(offset)


class Broken(Shy):
    """A file whose connection breaks."""

    def __init__(self, content, after):
        super().__init__(content)
        self.left = after

    def read(self, n=-1):
        self.left -= 1
        if self.left < 0:
            raise ConnectionError("connection lost")
        return super().read(n)


def closed():
    file = io.BytesIO(b"abc")
    file.close()
    return file


def read_to_its_end():
    stream = Stream(b"abc")
    stream.read()
    return stream


BAD = {
    "a coroutine": (lambda path: UploadFile(b"abc"), r"await file\.read\(\).*upload\.file"),
    "text": (lambda path: path.open(encoding="latin1"), r'open as text; .*open\(path, "rb"\)'),
    "text in memory": (lambda path: io.StringIO("abc"), "open as text"),
    "closed": (lambda path: closed(), "cannot be read .*closed file"),
    "empty": (lambda path: io.BytesIO(), r"is empty \(0 bytes\)$"),
    "a second time": (lambda path: read_to_its_end(), r"is empty \(0 bytes\); .* only once"),
    "broken at once": (lambda path: Broken(path.read_bytes(), 0), "cannot be read .*lost"),
}


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("kind", BAD)
def test_a_file_object_that_gives_no_bytes_is_one_bad_track(tmp_path, kind):
    make, reason = BAD[kind]
    path = write_sound(tmp_path / "a.wav", make_sound(1.0))
    with pytest.raises(AudioError, match=reason):
        load_audio(make(path))
    lenient = MFCCSegmenter(segment_duration=0.5, n_segments=2, on_error="warn")
    with pytest.warns(UserWarning, match=rf"1 of 2 tracks cannot be used(.|\n)*{reason}"):
        X = lenient.fit_transform([make(path), path])
    assert np.isnan(X[0]).all()
    assert not np.isnan(X[1]).any()


def test_a_connection_that_breaks_on_the_way_is_a_file_that_ends_early(tmp_path, capfd):
    path = write_sound(tmp_path / "a.wav", make_sound(5))
    with pytest.warns(UserWarning, match="ends early"):
        y = load_audio(Broken(path.read_bytes(), 40))
    assert 0 < len(y) < 5 * 22050
    assert_array_equal(y, load_audio(path)[: len(y)])
    assert "Traceback" not in capfd.readouterr().err  # of a callback


def test_failed_file_objects_are_listed_by_their_position(tmp_path):
    good = write_sound(tmp_path / "a.wav", make_sound(3.5))
    cut = io.BytesIO(good.read_bytes()[:-100])
    with open(tmp_path / "b.wav", "wb+") as empty, open(os.dup(empty.fileno()), "rb") as number:
        named = io.BytesIO(b"abc")
        named.name = "upload.wav"
        tracks = [good, io.BytesIO(b"nothing"), number, named, cut]
        with pytest.raises(UnreadableTracksError) as caught:
            MFCCSegmenter().transform(tracks)
        names = [failure.path for failure in caught.value.failures]
        assert names == ["track 1 (BytesIO)", "track 2 (BufferedReader)", "upload.wav"]
        assert "track 1 (BytesIO): not audio" in str(caught.value)
        with pytest.warns(UserWarning, match="track") as warned:
            MFCCSegmenter(on_error="warn").transform(tracks)
    text = "\n".join(str(w.message) for w in warned)
    assert "track 2 (BufferedReader): is empty" in text
    assert re.search(r"1 of 5 files end early .*\n  track 4 \(BytesIO\)", text)


def test_failed_file_objects_are_named_by_their_position_among_duplicates(tmp_path):
    with pytest.raises(ValueError, match=r"track 1 \(BytesIO\): not audio"):
        find_duplicates([write_sound(tmp_path / "a.wav", make_sound(4)), io.BytesIO(b"nothing")])


@pytest.mark.parametrize(
    "samples",
    [(22050, np.zeros(9)), [np.zeros(9)], [(22050, np.zeros(9))], np.zeros((2, 9)), np.zeros(9)],
    ids=["a rate and samples", "samples", "a pair", "rows", "one sound"],
)
def test_samples_are_answered_with_the_line_that_makes_a_file_of_them(samples):
    with pytest.raises((TypeError, ValueError)) as caught:
        MFCCSegmenter().transform(samples)
    check_remedy(caught)


def test_an_array_is_answered_with_the_line_that_makes_a_file_of_it():
    with pytest.raises(TypeError) as caught:
        load_audio(np.zeros(9))
    check_remedy(caught)


def check_remedy(caught):
    """Run what an error recommends."""
    remedy = re.search(r"(buffer = io.*); pass \[buffer\]", str(caught.value)).group(1)
    space = {"io": io, "soundfile": soundfile, "y": make_sound(0.5)}
    exec(remedy, space)
    np.testing.assert_allclose(load_audio(space["buffer"]), space["y"], atol=1e-7)


@pytest.mark.parametrize("what", [None, 3, b"RIFF", ["a.wav"]])
def test_what_is_neither_a_path_nor_a_file(what):
    with pytest.raises(TypeError, match=r"Expected a path .* got .*io\.BytesIO\(data\)"):
        load_audio(what)


# ---------------------------------------------------------------- what others read


def id3(n):
    return b"ID3\x03\0\0" + bytes([n >> 21 & 127, n >> 14 & 127, n >> 7 & 127, n & 127]) + bytes(n)


@pytest.mark.parametrize("kind", ["oga:flac", "tta:tta", "aac:aac"])
def test_behind_an_id3_tag(tmp_path, kind):
    content = write_container(tmp_path / "a", kind).read_bytes()
    for tag in (id3(10), id3(300_000)):
        assert_array_equal(load_audio(io.BytesIO(tag + content)), load_audio(io.BytesIO(content)))


def test_flac_in_ogg_is_what_was_written(tmp_path):
    y = make_sound(0.5, 22050, channels=1)[:, None]
    found = load_audio(encode_sound(tmp_path / "a.oga", "flac", y, 22050))
    np.testing.assert_allclose(found, y[:, 0], atol=2 / 32768)


@pytest.mark.parametrize(
    ("junk", "how"),
    [
        (b"junk" * 25_000, "VARIABLE without length"),
        (b"\xff" * 100_000, "VARIABLE"),
        (b"\xff\xfb" * 20_000, "VARIABLE without length"),
    ],
    ids=["text", "ones", "half frames"],
)
def test_an_mp3_behind_much_junk(songs, tmp_path, junk, how):
    expected = load_audio(io.BytesIO(songs[how]))
    path = tmp_path / "a.mp3"
    path.write_bytes(junk + songs[how])
    for source in (path, io.BytesIO(path.read_bytes())):
        found = load_audio(source)
        assert abs(len(found) - len(expected)) <= 1152
        n = min(len(found), len(expected)) - 1152
        np.testing.assert_allclose(found[:n], expected[:n], atol=1e-4)


def streamed(major, size):
    """A sound whose header was written before its length was known."""
    file = io.BytesIO()
    soundfile.write(file, make_sound(0.5), 22050, format=major)
    content = bytearray(file.getvalue())
    marker, offset, pack = {
        "WAV": (b"data", 4, "<I"),
        "RF64": (b"ds64", 16, "<Q"),
        "AU": (b".snd", 8, ">I"),
        "CAF": (b"data", 4, ">Q"),
        "AIFF": (b"SSND", 4, ">I"),
        "W64": (b"data\xf3", 16, "<Q"),
    }[major]
    struct.pack_into(pack, content, content.index(marker) + offset, size)
    return bytes(content)


@pytest.mark.parametrize("major", ["WAV", "RF64", "AU", "CAF", "AIFF", "W64"])
@pytest.mark.parametrize("size", [0, -1])
def test_a_header_without_a_length(major, size):
    file = io.BytesIO()
    soundfile.write(file, make_sound(0.5), 22050, format=major)
    size %= 1 << (64 if major in ("RF64", "CAF", "W64") else 32)
    assert_array_equal(load_audio(io.BytesIO(streamed(major, size))), load_audio(file))


def test_no_length_needs_no_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    for major in ("WAV", "AU"):
        assert len(load_audio(io.BytesIO(streamed(major, 0)))) == 11025
    silent = bytearray(streamed("WAV", 0))
    silent[44:] = bytes(len(silent) - 44)
    assert_array_equal(load_audio(io.BytesIO(silent)), np.zeros(11025))


def test_a_header_without_samples():
    with pytest.raises(AudioError, match="contains no samples"):
        load_audio(io.BytesIO(streamed("WAV", 0)[:44]))


# ---------------------------------------------------------------- true reasons


def damaged(folder):
    """Files that no decoder takes, for reasons that libsndfile calls by other names."""
    rng = np.random.default_rng(0)
    wav = write_sound(folder / "whole.wav", make_sound(0.1)).read_bytes()
    caf = write_sound(folder / "whole.caf", make_sound(0.1), format="CAF").read_bytes()
    for suffix in ("mp3", "wav", "m4a", ""):
        for i, content in enumerate(
            (
                *(rng.bytes(3000), b"nothing to hear " * 10_000, bytes(3000), b"\xff" * 3000),
                *(wav[:20], caf[:30], wav[:16] + bytes(24), b"fLaC" + bytes(99), b"OggS" * 99),
            )
        ):
            path = folder / f"{i}.{suffix}"
            path.write_bytes(content)
            yield path


#: Of a file that is there and can be read.
UNTRUE = (
    *("does not exist", "regular file", "pipe", "No Error", "System error", "internal error"),
    *("Internal", "Invalid argument", "not recognised", "Invalid data"),
)


@pytest.mark.parametrize("installed", [True, False])
def test_no_reason_misleads(tmp_path, monkeypatch, installed):
    if not installed:
        monkeypatch.setitem(sys.modules, "av", None)
    n = 0
    for path in damaged(tmp_path):
        with pytest.raises(AudioError) as caught:
            load_audio(path)
        n += 1
        assert caught.value.reason.strip()
        assert not [words for words in UNTRUE if words in caught.value.reason], caught.value
    assert n == 36


def test_formats_are_never_those_that_name_other_files():
    from skgenre.audio.ffmpeg import _FORMATS

    named = {*_FORMATS.split(",")}
    assert named <= {name for full in av.formats_available for name in full.split(",")}
    others = {"hls", "applehttp", "concat", "concatf", "dash", "image2", "imf", "rtsp", "sdp"}
    others |= {"sap", "mlv", "vobsub", "webm_dash_manifest", "lavfi", "avisynth", "mp3"}
    assert not named & others


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize(
    ("native", "offset", "duration"),
    [
        (44100, 0.99999, 0.5),
        (48000, 0.123456, 0.3333333),
        (22050, 1.00003, None),
        (8000, 0, 0.70001),
    ],
)
def test_offset_and_duration_are_rounded_as_librosa_rounds(tmp_path, native, offset, duration):
    path = write_sound(tmp_path / "a.wav", make_sound(2, native), native)
    expected, _ = librosa.load(path, sr=22050, offset=offset, duration=duration)
    np.testing.assert_allclose(
        load_audio(path, offset=offset, duration=duration), expected, atol=1e-5
    )


def test_samples_beyond_all_sense_are_one_bad_track(tmp_path):
    y = make_sound(1.0)
    good = write_sound(tmp_path / "good.wav", y)
    bad = write_sound(tmp_path / "bad.wav", y * 1e25, subtype="FLOAT")
    huge = write_sound(tmp_path / "huge.wav", y * 1e60, subtype="DOUBLE")
    lenient = MFCCSegmenter(segment_duration=0.5, n_segments=2, on_error="warn")
    with pytest.warns(
        UserWarning, match=r"bad\.wav: contains samples of .*e\+24(.|\n)*huge\.wav: "
    ):
        X = lenient.transform([good, bad, huge])
    assert_array_equal(np.isnan(X).all(axis=(1, 2, 3)), [False, True, True])
