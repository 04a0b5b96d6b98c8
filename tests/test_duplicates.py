"""Recordings that a collection holds twice."""

import itertools

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter

from skgenre.datasets import find_duplicates, load_gtzan, make_tracks

#: The exact repetitions of jazz in Sturm's "An Analysis of the GTZAN Music Genre Dataset" (2012).
REPETITIONS = {
    *{(33, 51), (34, 53), (35, 55), (36, 58), (37, 60), (38, 62), (39, 65), (40, 67), (42, 68)},
    *{(43, 69), (44, 70), (45, 71), (46, 72)},
}


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Two tracks of each of two artists of two genres."""
    return make_tracks(
        4,
        genres=["disco", "jazz"],
        duration=16,
        artists_per_genre=2,
        random_state=0,
        folder=tmp_path_factory.mktemp("music"),
    ).data


def write_mp3(path, y, kilobits=128):
    """At a constant rate, of the 8 to 160 kbit/s that MPEG-2 has for 22,050 Hz."""
    soundfile.write(
        path,
        y,
        22050,
        format="MP3",
        bitrate_mode="CONSTANT",
        compression_level=(160 - kilobits) / (160 - 8),
    )
    return str(path)


def test_copies_as_mp3_cut_by_2_s_are_found_each_time(music, tmp_path):
    music, copies = music[::2], []
    for i, path in enumerate(music):
        y, rate = soundfile.read(path)
        copies.append(write_mp3(tmp_path / f"{i}.mp3", y[2 * rate :]))
    size = (tmp_path / "0.mp3").stat().st_size
    assert size == pytest.approx(14 * 128_000 / 8, rel=0.03)
    pairs = find_duplicates([*music, *copies])
    found = dict(zip(pairs["first"], pairs["second"], strict=True))
    assert found == dict(zip(music, copies, strict=True))
    # The encoder puts 26 ms of silence before.
    np.testing.assert_allclose(pairs["offset"], 2, atol=0.06)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda y: 0.05 * y, id="level"),
        pytest.param(lambda y: lfilter([0.2], [1, -0.8], y), id="low-pass"),
        pytest.param(
            lambda y: y + 0.001 * np.random.default_rng(0).normal(size=len(y)), id="noise"
        ),
    ],
)
def test_what_does_not_hide_a_copy(music, tmp_path, change):
    y, rate = soundfile.read(music[0])
    copy = tmp_path / "copy.wav"
    soundfile.write(copy, change(y), rate)
    pairs = find_duplicates([*music, copy])
    assert pairs[["first", "second"]].values.tolist() == [[music[0], copy]]


def test_tracks_of_one_artist_are_no_duplicates(music):
    assert find_duplicates(music).empty


def test_the_offset_is_negative_where_the_second_begins_earlier(music, tmp_path):
    y, rate = soundfile.read(music[0])
    soundfile.write(tmp_path / "cut.wav", y[3 * rate :], rate)
    [offset] = find_duplicates([tmp_path / "cut.wav", music[0]])["offset"]
    assert offset == pytest.approx(-3, abs=0.05)


def test_an_excerpt_beyond_duration_is_found_if_all_is_read(music, tmp_path):
    y, rate = soundfile.read(music[0])
    soundfile.write(tmp_path / "excerpt.wav", y[10 * rate : 15 * rate], rate)
    paths = [music[0], tmp_path / "excerpt.wav"]
    assert find_duplicates(paths, duration=8).empty
    [offset] = find_duplicates(paths, duration=None)["offset"]
    assert offset == pytest.approx(10, abs=0.05)


def test_tracks_have_at_least_min_overlap_in_common(music, tmp_path):
    y, rate = soundfile.read(music[0])
    soundfile.write(tmp_path / "a.wav", y[: 10 * rate], rate)
    soundfile.write(tmp_path / "b.wav", y[5 * rate :], rate)
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    assert find_duplicates(paths, min_overlap=6).empty
    [overlap] = find_duplicates(paths, min_overlap=4)["overlap"]
    assert overlap == pytest.approx(5, abs=0.1)


def test_the_pairs_of_three_copies(music, tmp_path):
    y, rate = soundfile.read(music[0])
    paths = [str(tmp_path / f"{i}.wav") for i in range(3)]
    for i, path in enumerate(paths):
        soundfile.write(path, y[i * rate :], rate)
    pairs = find_duplicates(paths)
    found = sorted(zip(pairs["first"], pairs["second"], strict=True))
    assert found == list(itertools.combinations(paths, 2))


def test_silence_around_different_music_is_no_overlap(music, tmp_path):
    silence = np.zeros(22050 * 14)
    for name, path in (("a.wav", music[0]), ("b.wav", music[5])):
        y, rate = soundfile.read(path)
        soundfile.write(tmp_path / name, np.concatenate([silence, y, silence]), rate)
    assert find_duplicates([tmp_path / "a.wav", tmp_path / "b.wav"]).empty


def test_tracks_that_cannot_be_used_are_listed(music, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    soundfile.write(tmp_path / "short.wav", np.zeros(22050), 22050)
    paths = [music[0], tmp_path / "broken.wav", tmp_path / "short.wav", music[0]]
    with pytest.raises(ValueError, match=r"(?s)2 of 4 .*broken\.wav.*short\.wav: 1\.00 s"):
        find_duplicates(paths)
    with pytest.warns(UserWarning, match=r"(?s)2 of 4 .*broken\.wav.*They are excluded"):
        assert len(find_duplicates(paths, on_error="warn")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 0}, r"threshold=0 must be a float in the range \(0.0, 1.0\]"),
        ({"min_overlap": 0}, r"min_overlap=0 must be a float in the range \(0.0, inf\)"),
        ({"duration": 1}, r"duration=1 must be a float in the range \[3.0, inf\) or None"),
        ({"on_error": "ignore"}, "on_error='ignore' must be 'raise' or 'warn'"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        find_duplicates([], **arguments)


def test_a_single_path_is_no_collection():
    with pytest.raises(TypeError, match="not a single one"):
        find_duplicates("song.mp3")


def test_no_tracks_have_no_duplicates():
    assert find_duplicates([]).empty


@pytest.mark.slow
@pytest.mark.gtzan
def test_the_repetitions_of_gtzan_and_no_others(gtzan):
    tracks = load_gtzan(gtzan / "three_genres")
    pairs = find_duplicates(tracks.data, n_jobs=2)
    name = dict(zip(tracks.data, tracks.track_ids, strict=True))
    found = {(name[a], name[b]) for a, b in zip(pairs["first"], pairs["second"], strict=True)}
    assert found == {(f"jazz.{a:05d}", f"jazz.{b:05d}") for a, b in REPETITIONS}
