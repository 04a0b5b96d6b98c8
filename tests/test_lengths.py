"""Headers that state no length or a wrong one, files of several parts, and damage.

The reference is what ffmpeg decodes.
"""

import contextlib
import io
import itertools
import re
import struct
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose

from skgenre import (
    AudioError,
    GTZANFeatures,
    MelSegmenter,
    MFCCSegmenter,
    MusicnnEmbedder,
    TrackDescriptors,
    load_audio,
)
from skgenre.audio import AudioFile, mp3
from skgenre.features import musicnn

from .conftest import encode_sound, make_sound, write_sound

av = pytest.importorskip("av")

RATE = 44100
SECONDS = 6.3
SOME = ["spectral_centroid_mean", "zero_crossing_rate_mean", "mfcc1_mean"]


def readable(packets):
    with contextlib.suppress(av.FFmpegError):
        yield from packets


def decode(content):
    """Decode all packets that can be decoded, as mono."""
    blocks = []
    with av.open(io.BytesIO(content)) as container:
        for packet in readable(container.demux(container.streams.best("audio"))):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                [block] = av.AudioResampler(format="fltp").resample(frame)
                blocks.append(block.to_ndarray().mean(axis=0))
    return np.concatenate(blocks)


def assert_same_sound(found, expected, shift=1500, length=6000):
    """Compare sounds that differ by what an encoder adds at the start and the end."""
    assert abs(len(found) - len(expected)) <= length
    if len(found) == len(expected) and np.allclose(found, expected, atol=2e-4):
        return
    at = len(expected) * 3 // 4
    part = expected[at : at + 20_000]
    best = np.correlate(found[at - shift : at + len(part) + shift], part).argmax()
    assert_allclose(found[at - shift + best :][: len(part)], part, atol=2e-3)


def warns(function, *args, **kwargs):
    """Return the result of a function, and whether it warned that a file ends early."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args, **kwargs)
    assert all("end early" in str(w.message) or "ends early" in str(w.message) for w in caught)
    return result, bool(caught)


# ---------------------------------------------------------------- the table


def patched(content, at, value):
    return content[:at] + value + content[at + len(value) :]


def wav(content, factor):
    n = int.from_bytes(content[40:44], "little")
    return patched(content, 40, struct.pack("<I", 0 if factor is None else int(n * factor)))


def au(content, factor):
    n = int.from_bytes(content[8:12], "big")
    return patched(content, 8, struct.pack(">I", 0 if factor is None else int(n * factor)))


def flac(content, factor):
    word = int.from_bytes(content[18:26], "big")
    n = word % (1 << 36)
    n = 0 if factor is None else int(n * factor)
    return patched(content, 18, (word >> 36 << 36 | n).to_bytes(8, "big"))


def xing(content, factor):
    frame = mp3._parse(content[:4])
    if factor is None:
        return content[frame.length :]
    at = frame.header_length + 8
    n = int.from_bytes(content[at : at + 4], "big")
    return patched(content, at, struct.pack(">I", int(n * factor)))


def pages(content, factor):
    """Ogg has no length; change the time of the last page, which players show as one."""
    at = content.rindex(b"OggS")
    n = int.from_bytes(content[at + 6 : at + 14], "little")
    time = -1 if factor is None else int(n * factor)
    page = patched(patched(content[at:], 6, struct.pack("<q", time)), 22, bytes(4))
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = checksum << 1 ^ (0x104C11DB7 if checksum >> 31 else 0)
    return content[:at] + patched(page, 22, struct.pack("<I", checksum))


def mp4(content, factor):
    for name, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        at = content.index(name) + offset
        n = int.from_bytes(content[at : at + 4], "big")
        content = patched(content, at, struct.pack(">I", 0 if factor is None else int(n * factor)))
    return content


def nothing(content, factor):
    return content


#: How to change the length of a container. The second part says whether it is one that the
#: container states: then a longer one shows that something is missing.
CONTAINERS = {
    "wav": ("WAV", "PCM_16", wav, True),
    "au": ("AU", "PCM_16", au, True),
    "flac": ("FLAC", "PCM_16", flac, True),
    "mp3": ("MP3", "MPEG_LAYER_III", xing, True),
    "ogg": ("OGG", "VORBIS", pages, False),
    "opus": ("OGG", "OPUS", pages, False),
    "m4a": ("m4a", "aac", mp4, False),  # ffmpeg counts its packets
    "mka": ("mka", "ac3", nothing, False),
    "aac": ("aac", "aac", nothing, False),
    "ts": ("ts", "aac", nothing, False),
    "wma": ("wma", "wmav2", nothing, False),
}
LENGTHS = {"right": 1, "missing": None, "too short": 0.5, "too long": 2}
CASES = [
    (kind, length)
    for kind, length in itertools.product(CONTAINERS, LENGTHS)
    if length == "right" or CONTAINERS[kind][2] is not nothing
]

#: Front ends get the same samples from every container, so that these stand for all.
SOME_CASES = [("flac", "missing"), ("mp3", "too short"), ("mp3", "too long")]


@pytest.fixture(scope="module")
def containers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("containers")
    out = {}
    for kind, (major, minor, _, _) in CONTAINERS.items():
        path = folder / f"a.{kind}"
        rate = 48000 if minor == "OPUS" else RATE
        if major.isupper():
            write_sound(path, make_sound(SECONDS, rate), rate, format=major, subtype=minor)
        else:
            encode_sound(path, minor, make_sound(SECONDS, RATE)[:, None])
        out[kind] = path.read_bytes()
    return out


class Embedder:
    """Stands for the network of musicnn, which may not be installed."""

    def embed(self, patches):
        return np.repeat(patches.mean(axis=(1, 2))[:, None], 200, axis=1)


@pytest.fixture(autouse=True)
def _no_weights_needed(monkeypatch):
    monkeypatch.setattr(musicnn, "_published", lambda weights: Embedder())


#: Every front end, and the number of segments that it takes of so many seconds.
FRONT_ENDS = {
    "mfcc start": (MFCCSegmenter(segment_duration=1, n_segments=9), int),
    "mfcc all": (MFCCSegmenter(segment_duration=1, n_segments=None), int),
    "mfcc spread": (MFCCSegmenter(segment_duration=1, n_segments=9, placement="spread"), int),
    "mel": (MelSegmenter(segment_duration=3), lambda seconds: round(seconds / 3)),
    "descriptors": (
        TrackDescriptors(families="timbre", segment_duration=3),
        lambda seconds: round(seconds / 3),
    ),
    "features": (
        GTZANFeatures(columns=SOME, segment_duration=3),
        lambda seconds: round(seconds / 3),
    ),
    "center": (GTZANFeatures(columns=SOME, max_duration=2), None),
    "musicnn": (MusicnnEmbedder(), lambda seconds: (int(seconds * 62.5) + 1) // 187),
    "musicnn spread": (
        MusicnnEmbedder(n_segments=5),
        lambda seconds: (int(seconds * 62.5) + 1) // 187,
    ),
}


@pytest.mark.parametrize(("kind", "length"), CASES, ids=["-".join(case) for case in CASES])
def test_what_is_decoded_counts_whatever_the_header_states(containers, tmp_path, kind, length):
    content = CONTAINERS[kind][2](containers[kind], LENGTHS[length])
    # Of an AU file without a length ffmpeg says that it is damaged.
    expected = decode(containers[kind] if kind == "au" else content)
    rate = 48000 if kind == "opus" else RATE
    source = tmp_path / "a.xyz"
    source.write_bytes(content)
    if length in ("missing", "too long"):
        source = io.BytesIO(content)
    found, warned = warns(load_audio, source, sample_rate=rate)
    assert_same_sound(found, expected)
    assert warned == (length == "too long" and CONTAINERS[kind][3])
    with AudioFile(source, rate) as audio:
        assert audio.n_samples == len(found)
        assert_allclose(audio.read(70_000, 80_000), found[70_000:80_000], atol=1e-5)


@pytest.mark.parametrize(("kind", "length"), SOME_CASES)
def test_every_front_end_takes_all_segments_there_are(containers, tmp_path, kind, length):
    path = tmp_path / "a.xyz"
    path.write_bytes(CONTAINERS[kind][2](containers[kind], LENGTHS[length]))
    seconds = len(decode(path.read_bytes())) / RATE
    for name, (front, n_segments) in FRONT_ENDS.items():
        X, _ = warns(front.transform, [path])
        if n_segments is None:
            assert np.isfinite(X).all(), name
            continue
        n = n_segments(seconds)
        assert np.isfinite(X).all(axis=(2, 3)).sum() == n, name
        assert np.isnan(X[:, n:]).all(), name


def test_a_flac_without_a_length_takes_no_memory(containers, tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(flac(containers["flac"], None))
    front, _ = FRONT_ENDS["mfcc spread"]
    front.transform([path])  # what is loaded once
    tracemalloc.start()
    try:
        front.transform([path])
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


def test_the_first_seconds_of_a_long_mp3_are_read_without_the_others(containers, monkeypatch):
    content = containers["mp3"] * 10
    n_frames = []
    read = soundfile.SoundFile.read

    def counting_read(self, *args, **kwargs):
        block = read(self, *args, **kwargs)
        n_frames.append(len(block))
        return block

    monkeypatch.setattr(soundfile.SoundFile, "read", counting_read)
    MFCCSegmenter(segment_duration=1, n_segments=2).transform([io.BytesIO(content)])
    assert sum(n_frames) < 2.5 * RATE


# ---------------------------------------------------------------- several files in one


def two(tmp_path, suffix, rates=(RATE, RATE), channels=(1, 1), **kwargs):
    """Two files of the same format, and what is in them at the rate of the first."""
    contents, expected = [], []
    for i, (rate, n) in enumerate(zip(rates, channels, strict=True)):
        path = tmp_path / f"{i}.{suffix}"
        content = write_sound(path, make_sound(4, rate, n, seed=i), rate, **kwargs).read_bytes()
        contents.append(content)
        expected.append(load_audio(path, sample_rate=rates[0]))
    return contents, expected


@pytest.mark.parametrize(
    ("suffix", "kwargs", "as_file"),
    [
        ("ogg", {"subtype": "VORBIS"}, False),
        ("opus", {"format": "OGG", "subtype": "OPUS"}, True),
        ("mp3", {"bitrate_mode": "CONSTANT", "compression_level": 0.5}, True),
        ("mp3", {"bitrate_mode": "VARIABLE", "compression_level": 0.5}, False),
        ("flac", {}, False),
        ("flac", {}, True),
    ],
)
def test_all_files_of_a_chain_are_read(tmp_path, monkeypatch, suffix, kwargs, as_file):
    rate = 48000 if suffix == "opus" else RATE
    contents, parts = two(tmp_path, suffix, (rate, rate), **kwargs)
    for content in (b"".join(contents), contents[0] * 2):  # another stream, and the same again
        path = tmp_path / "chain"
        path.write_bytes(content)
        source = io.BytesIO(content) if as_file else path
        expected = decode(content)
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "av", None)
            found = load_audio(source, sample_rate=rate)  # without a warning
        assert_same_sound(found, expected)
        assert_allclose(found[: len(parts[0]) - 2000], parts[0][:-2000], atol=1e-4)
        with AudioFile(source, rate) as audio:
            assert audio.n_samples == len(found)
            assert_allclose(audio.read(180_000, 190_000), found[180_000:190_000], atol=1e-5)


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_the_rate_and_the_channels_of_a_chain_may_change(tmp_path, suffix):
    contents, (first, second) = two(tmp_path, suffix, (RATE, 22050), (1, 2))
    found = load_audio(io.BytesIO(b"".join(contents)), sample_rate=RATE)
    assert abs(len(found) - len(first) - len(second)) <= 100
    assert_allclose(found[: len(first)], first, atol=1e-4)
    rest = found[len(first) :]
    assert_allclose(rest[5000:150_000], second[5000:150_000], atol=1e-3)


def test_a_picture_between_two_mp3_files_is_no_end(tmp_path):
    contents, _ = two(tmp_path, "mp3")
    tag = b"ID3\3\0\0" + bytes([0, 20, 0, 0]) + np.random.default_rng(0).bytes(20 << 14)
    found = load_audio(io.BytesIO(tag.join(contents)), sample_rate=RATE)
    assert_same_sound(found, decode(b"".join(contents)))


# ---------------------------------------------------------------- a missing end


def starts_of_pages(content):
    """Offsets of the pages; their name is very unlikely to occur in a body."""
    return [found.start() for found in re.finditer(b"OggS", content)]


#: What happens to a file whose end is then missing.
LOSSES = {
    "lost last page": lambda content: content[: starts_of_pages(content)[-1]],
    "cut in a page": lambda content: content[: len(content) * 2 // 3],
    "cut after a page": lambda content: content[: starts_of_pages(content)[5]],
}


@pytest.mark.parametrize(
    ("kind", "loss", "chain"),
    [
        *(("ogg", loss, "alone") for loss in LOSSES),
        *(("opus", "lost last page", "alone"), ("ogg", "cut in a page", "last")),
    ],
)
def test_an_ogg_file_that_lost_its_end_ends_early(containers, kind, loss, chain):
    whole, damaged = containers[kind], LOSSES[loss](containers[kind])
    content = {"alone": damaged, "last": whole + damaged}[chain]
    found, warned = warns(load_audio, io.BytesIO(content), sample_rate=22050)
    assert warned
    with AudioFile(io.BytesIO(content)) as audio:
        assert audio.n_samples == len(found)
        assert audio.ended_early


def test_a_recording_of_a_station_may_start_anywhere(containers):
    pages = starts_of_pages(containers["ogg"])
    assert len(pages) > 6
    content = containers["ogg"][: pages[2]] + containers["ogg"][pages[4] :]
    found, warned = warns(load_audio, io.BytesIO(content), sample_rate=RATE)
    assert len(found) < (SECONDS - 0.3) * RATE
    assert not warned


# ---------------------------------------------------------------- what is inside decides


@pytest.mark.parametrize(
    "kind",
    [
        *("mp4:libmp3lame", "mov:libmp3lame", "mpg:libmp3lame", "ts:libmp3lame", "avi:libmp3lame"),
        *("mkv:libmp3lame", "flv:libmp3lame", "wtv:libmp3lame", "nut:libmp3lame", "asf:libmp3lame"),
        *("m4a:aac", "wma:wmav2", "rm:ac3"),
    ],
)
def test_a_container_is_read_by_its_demuxer_and_never_taken_for_mp3(tmp_path, monkeypatch, kind):
    suffix, codec = kind.split(":")
    rate = 48000 if suffix == "mpg" else RATE
    path = encode_sound(tmp_path / f"b.{suffix}", codec, make_sound(2, rate)[:, None], rate)
    path = path.rename(tmp_path / "a.mp3")
    assert_allclose(load_audio(path, sample_rate=rate), decode(path.read_bytes()), atol=1e-6)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=r"pip install skgenre\[av\]"):
        load_audio(path)


def two_streams(path, default):
    """A low and a high tone in two streams, of which one is the default."""
    with av.open(str(path), "w", options={"default_mode": "passthrough"}) as container:
        streams = [container.add_stream("aac", rate=RATE, layout="mono") for _ in range(2)]
        for i, stream in enumerate(streams):
            stream.disposition = av.stream.Disposition.default if i == default else 0
        for stream, frequency in zip(streams, (200, 5000), strict=True):
            y = 0.5 * np.sin(2 * np.pi * frequency * np.arange(2 * RATE) / RATE)
            for start in range(0, len(y), 1024):
                block = y[None, start : start + 1024].astype(np.float32)
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = RATE, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


@pytest.mark.parametrize("default", [0, 1])
def test_the_default_stream_is_read(tmp_path, default):
    path = tmp_path / "a.mkv"
    two_streams(path, default)
    spectrum = np.abs(np.fft.rfft(load_audio(path, sample_rate=RATE)[:RATE]))
    assert abs(spectrum.argmax() - (200, 5000)[default]) < 3


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("kind", ["aac", "flac", "ts", "mp3", "ogg", "opus"])
@pytest.mark.parametrize(
    "damage", [np.random.default_rng(0).bytes(300), bytes(2000)], ids=["noise", "zeros"]
)
def test_a_damaged_packet_is_not_the_end(containers, kind, damage):
    content = containers[kind]
    content = patched(content, len(content) // 3, damage)
    expected = decode(content)
    rate = 48000 if kind == "opus" else RATE
    # Opus has pages of a second.
    assert len(expected) > (0.8 if kind == "opus" else 0.9) * SECONDS * rate
    found, _ = warns(load_audio, io.BytesIO(content), sample_rate=rate)
    if kind in ("mp3", "ogg"):  # decoders differ in what they make of the frame after damage
        assert_same_sound(found, expected)
    else:
        assert len(found) == len(expected)
        assert_allclose(found, expected, atol=1e-4)
    with AudioFile(io.BytesIO(content), rate) as audio:
        audio.read()  # as long as the damage is unknown, jumps may be wrong
        assert_allclose(audio.read(70_000, 80_000), found[70_000:80_000], atol=1e-5)


@pytest.mark.parametrize(
    ("damage", "header", "song"),
    [
        (bytes(2000), "with a header", 0),
        (bytes(20_000), "without", 1),
        (bytes(100_000), "with a header", 1),
        (np.random.default_rng(0).bytes(3000), "without", 0),
        (np.random.default_rng(0).bytes(9000), "with a header", 0),
    ],
    ids=["zeros-2000", "zeros-20000", "zeros-100000", "noise-3000", "noise-9000"],
)
def test_an_mp3_is_read_behind_damage_and_ends_early(containers, monkeypatch, damage, header, song):
    content = containers["mp3"] if header == "with a header" else xing(containers["mp3"], None)
    damaged = content[: len(content) // 3] + damage + content[len(content) // 3 + 1500 :]
    content = content + damaged if song else damaged
    expected = decode(content)
    assert len(expected) > (song + 0.9) * SECONDS * RATE
    monkeypatch.setitem(sys.modules, "av", None)
    found, warned = warns(load_audio, io.BytesIO(content), sample_rate=RATE)
    assert_same_sound(found, expected, shift=5000)
    assert warned
    with AudioFile(io.BytesIO(content), RATE) as audio:
        assert_allclose(audio.read(150_000, 160_000), found[150_000:160_000], atol=1e-5)
        assert audio.n_samples == len(found)


@pytest.mark.parametrize("damage", [bytes(2000), np.random.default_rng(2).bytes(4000)])
def test_an_mp3_is_read_behind_every_damage(containers, damage):
    content = whole = containers["mp3"]
    places = (0.1, 0.25, 0.4, 0.55, 0.7)
    for place in places:
        content = patched(content, int(place * len(whole)), damage)
    found, warned = warns(load_audio, io.BytesIO(content), sample_rate=RATE)
    assert warned
    # At each place, up to two frames more than the damage are lost or made up.
    expected = (1 - len(places) * len(damage) / len(whole)) * SECONDS * RATE
    assert abs(len(found) - expected) < len(places) * 2 * 1152
    part = load_audio(io.BytesIO(whole), sample_rate=RATE)[-12_000:-6_000]
    near = found[-20_000:]
    best = np.correlate(near, part).argmax()
    assert_allclose(near[best:][: len(part)], part, atol=2e-3)


def test_an_mp3_that_lost_bytes_is_no_reason_to_stop(containers, tmp_path):
    for i, lost in enumerate((100, 300, 600)):
        content = containers["mp3"]
        (tmp_path / f"{i}.mp3").write_bytes(content[:20_000] + content[20_000 + lost :])
    front = MFCCSegmenter(
        segment_duration=SECONDS / 4, n_segments=4, placement="spread", on_error="warn"
    )
    X, _ = warns(front.transform, sorted(tmp_path.iterdir()))
    assert np.isfinite(X).all(axis=(2, 3)).any(axis=1).all()


@pytest.mark.parametrize("rate", [0, 999, 768_001])
def test_implausible_sample_rates_are_refused(containers, rate):
    content = patched(containers["wav"], 24, struct.pack("<I", rate))
    with pytest.raises(AudioError, match=f"{rate} Hz .* between 1000 and 768000 Hz|header"):
        load_audio(io.BytesIO(content))
