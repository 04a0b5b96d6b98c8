"""Input without a signal: silence, constants, opposite channels, samples on another scale."""

import csv
import io
import json
import os
import re

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from skgenre import (
    FrontEnd,
    GTZANFeatures,
    MelSegmenter,
    MFCCSegmenter,
    MusicnnEmbedder,
    SegmentSummary,
    TrackDescriptors,
    UnreadableTracksError,
    genre_timeline,
    gtzan_features,
    load_audio,
    make_baseline,
    save,
    starter_model,
)
from skgenre.audio import AudioFile, has_signal
from skgenre.cli import main
from skgenre.cli.writers import merge
from skgenre.datasets import find_duplicates
from skgenre.evaluation.out_of_fold import compute_features
from skgenre.features import mfcc, musicnn, segment_mfcc
from skgenre.features.musicnn_network import Musicnn
from skgenre.plotting import GenreTimelineDisplay, MFCCDisplay
from skgenre.report import pictures
from skgenre.timeline import predict_segments

from .conftest import encode_sound, make_sound, write_sound
from .test_musicnn import random_arrays

RATE = 22050


class Levels(FrontEnd):
    """Levels of four quarters of a track."""

    returned = None

    @property
    def track_shape(self):
        return 4, 1, 1

    def extract_track(self, audio):
        if self.returned is not None:
            return self.returned
        y = audio.read()
        return np.abs(y[: len(y) // 4 * 4].reshape(4, 1, 1, -1)).mean(axis=3)


#: Front ends that split tracks into parts of 3 s.
SPLITTING = {
    "mfcc": MFCCSegmenter(n_segments=None),
    "spread": MFCCSegmenter(placement="spread", n_segments=4),
    "mel": MelSegmenter(segment_duration=3),
    "descriptors": TrackDescriptors(segment_duration=3),
    "windows": GTZANFeatures(columns=["rms_mean", "mfcc1_mean", "rolloff_var"], segment_duration=3),
    "musicnn": MusicnnEmbedder(),
}
FRONTS = {
    **SPLITTING,
    "table": GTZANFeatures(columns=["rms_mean", "mfcc2_mean", "rolloff_mean"]),
    "own": Levels(),
}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def network():
    return Musicnn(random_arrays())


@pytest.fixture(params=FRONTS)
def front(request, network, monkeypatch):
    monkeypatch.setattr(musicnn, "_published", lambda weights: network)
    return clone(FRONTS[request.param])


@pytest.fixture(params=SPLITTING)
def splitting(request, network, monkeypatch):
    monkeypatch.setattr(musicnn, "_published", lambda weights: network)
    return clone(SPLITTING[request.param])


def sound_file(y, form="WAV", rate=RATE):
    """A file in memory; WAV keeps floats."""
    file = io.BytesIO()
    soundfile.write(file, y, rate, format=form, subtype="FLOAT" if form == "WAV" else None)
    file.seek(0)
    return file


def coded(y, form, rate):
    """A file in memory, with integers of 16 bits if it is WAV; written like by `write_sound`."""
    file = io.BytesIO()
    subtype = "PCM_16" if form == "WAV" else None
    with soundfile.SoundFile(file, "w", rate, 1, format=form, subtype=subtype) as out:
        for start in range(0, len(y), 4096):
            out.write(y[start : start + 4096])
    file.seek(0)
    return file


def make_dither(n):
    """What is left of silence in 16-bit audio: triangular dither of up to one step."""
    return np.round(np.random.default_rng(0).uniform(-0.5, 0.5, (2, n)).sum(axis=0)) / 32768


def samples(file):
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def reason_of(front, file):
    with pytest.raises(UnreadableTracksError) as caught:
        front.transform([file])
    [failure] = caught.value.failures
    return failure.reason


NOTHING = {
    "silence": np.zeros(RATE * 4),
    "offset": np.full(RATE * 4, 0.3),
    "dither": make_dither(RATE * 4),
}
#: Rates and formats in which noise has other levels.
CODED = [(rate, form) for rate in (44100, 22050) for form in ("WAV", "MP3", "OGG")]

# ---------------------------------------------------------------- tracks without a signal


def test_a_track_without_a_signal_is_unusable(front):
    file = sound_file(NOTHING["dither"])
    reason = reason_of(front, file)
    assert "contains no signal" in reason
    assert reason.endswith("is digital silence, a constant or noise below -90 dB")
    front.set_params(on_error="warn")
    with pytest.warns(UserWarning, match=r"(?s)1 of 1 tracks cannot be used.*contains no signal"):
        X = front.transform([file])
    assert np.isnan(X).all()


@pytest.mark.parametrize("form", ["WAV", "FLAC", "MP3", "OGG"])
@pytest.mark.parametrize(("rate", "channels"), [(22050, 1), (44100, 2)])
def test_silence_and_an_offset_are_no_signal_in_any_format(form, rate, channels, tmp_path):
    path = tmp_path / "a"
    for level in (0.0, 0.3) if form != "OGG" else (0.0,):  # its noise is louder
        file = sound_file(np.full((rate * 4, channels), level), form, rate)
        path.write_bytes(file.getvalue())
        for track in (file, path):
            assert "contains no signal" in reason_of(MFCCSegmenter(), track)


@pytest.mark.parametrize(("rate", "form"), CODED)
def test_dither_is_no_signal_after_resampling_or_coding(rate, form):
    file = coded(make_dither(4 * rate), form, rate)
    assert "contains no signal" in reason_of(MFCCSegmenter(n_segments=None), file)


def test_no_samples_are_no_signal():
    assert not has_signal(np.zeros(0), RATE)


def test_an_own_front_end_without_a_segment_is_a_track_without_a_signal(monkeypatch):
    monkeypatch.setattr(Levels, "returned", np.full((4, 1, 1), np.nan))
    assert "contains no signal" in reason_of(Levels(), sound_file(make_sound(1)))


def test_an_own_front_end_that_reads_nothing_is_not_checked(monkeypatch):
    monkeypatch.setattr(Levels, "returned", np.ones((4, 1, 1)))
    assert_array_equal(Levels().transform([sound_file(np.zeros(RATE))]), np.ones((1, 4, 1, 1)))


def test_quiet_music_is_not_silence(front):
    file = sound_file(make_sound(4) * 10 ** (-75 / 20))
    assert np.isfinite(front.transform([file])[0, 0]).all()


@pytest.mark.parametrize("place", [0, 1, 2.4999])
def test_a_short_sound_is_a_signal_wherever_it_is(place):
    y = np.zeros(3 * RATE)
    start = round((0.1 + place) * RATE)
    y[start : start + round(0.025 * RATE)] = 0.01 * make_sound(0.025)
    assert np.isfinite(MFCCSegmenter(n_segments=1).transform([sound_file(y)])).all()


def test_duplicates_are_not_looked_for_in_silence(tmp_path):
    paths = [write_sound(tmp_path / "a.wav", make_sound(5))] * 2
    paths += [write_sound(tmp_path / f"{kind}.wav", y) for kind, y in NOTHING.items()]
    with pytest.warns(UserWarning, match=r"(?s)3 of 5 .*silence\.wav: contains no signal"):
        assert len(find_duplicates(paths, on_error="warn")) == 1


# ---------------------------------------------------------------- parts without a signal


@pytest.mark.parametrize("where", ["within", "after"])
def test_parts_without_a_signal_are_missing_and_the_others_unchanged(splitting, where):
    rate = splitting.sample_rate
    n = round(splitting.segment_duration * rate)
    silence = np.zeros(2 * n)
    first, second = (make_sound(3, rate, seed=seed)[:n] for seed in (1, 2))

    def transform(*parts):
        return splitting.transform([sound_file(np.concatenate(parts), rate=rate)])[0]

    # Frames at the border of two parts may contain samples of both.
    together, apart = transform(first, second), [transform(y)[0] for y in (first, second)]
    X, places, expected = {
        "within": (transform(first, silence, second), [0, 3], apart),
        "after": (transform(first, second, silence), [0, 1], together),
    }[where]
    assert np.flatnonzero(~np.isnan(X).all(axis=(1, 2))).tolist() == places
    for place, row in zip(places, expected, strict=False):
        assert_allclose(X[place], row, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("form", ["WAV", "FLAC", "MP3"])
@pytest.mark.parametrize("rate", [22050, 44100])
def test_what_codecs_and_filters_add_to_silence_is_no_signal(form, rate):
    music = make_sound(6, rate)
    music[:100] = 0.9  # begins suddenly
    y = np.concatenate([np.zeros(6 * rate), music, np.zeros(6 * rate)])
    [X] = MFCCSegmenter(n_segments=None).transform([sound_file(y, form, rate)])
    found = np.isfinite(X[:, 0, 0])
    assert found[:4].tolist() == [False, False, True, True]
    assert not found[5:].any()  # MP3 may be later by a block


@pytest.mark.parametrize("front", [GTZANFeatures(), TrackDescriptors(), MelSegmenter()])
def test_silence_within_a_window_or_table_is_left_out(front):
    y, silence = make_sound(15), np.zeros(15 * RATE)
    expected = front.transform([sound_file(y)])
    for both in ([silence, y], [y, silence]):
        X = front.transform([sound_file(np.concatenate(both))])
        assert_allclose(X, expected, rtol=1e-6, atol=1e-4)


def test_short_pauses_are_kept():
    y = make_sound(9)
    y[RATE : 3 * RATE] = 0
    assert_array_equal(
        GTZANFeatures(columns=["rms_mean"]).transform([sound_file(y)])[0],
        gtzan_features(y, ["rms_mean"]),
    )


# ---------------------------------------------------------------- channels that cancel


@pytest.mark.parametrize("form", ["WAV", "FLAC", "MP3"])
@pytest.mark.parametrize("louder", [0, 1])
def test_channels_that_cancel_are_read_from_the_loudest(form, louder):
    y = make_sound(4)
    channels = np.c_[y, -y]
    channels[:, 1 - louder] *= 0.9
    file = sound_file(channels, form)
    with AudioFile(file) as audio:
        assert_allclose(audio.read(), samples(file)[:, louder], atol=1e-6)
        assert audio.channels_cancel


def test_front_ends_read_channels_that_cancel(front):
    y = make_sound(4)
    expected = front.transform([sound_file(y)])
    with pytest.warns(UserWarning, match=r"1 of 1 files have channels that cancel.*\n.*BytesIO"):
        X = front.transform([sound_file(np.c_[y, -y])])
    assert_allclose(X, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("frame", "n_frames"), [([np.inf, -np.inf], 1), ([np.inf, np.inf], 5000), ([np.nan, 0], 1)]
)
def test_samples_that_are_not_finite_are_errors_in_stereo_too(frame, n_frames):
    y = np.zeros((5000, 2))
    y[:n_frames] = frame
    with pytest.raises(ValueError, match="contains NaN or infinite samples"):
        load_audio(sound_file(y))


def wide(ratio):
    """Middle and sides of which the mean of the channels has the given proportion of the power."""
    rng = np.random.default_rng(0)
    middle, side = 0.05 * rng.normal(size=(2, RATE * 2)) * [[1], [np.sqrt(1 / ratio - 1)]]
    return np.c_[middle + side, middle - side]


@pytest.mark.parametrize("form", ["WAV", "MP3"])
@pytest.mark.parametrize(
    "y",
    [
        make_sound(2)[:, None] * [1, 1],
        make_sound(2)[:, None] * [1, 0],
        0.1 * np.random.default_rng(0).normal(size=(RATE * 2, 2)),
        wide(0.1),
        make_sound(2, channels=2) + 0.3 * np.array([1, -1]),
        np.zeros((RATE * 2, 2)),
    ],
    ids=["equal", "one side", "uncorrelated", "wide", "offsets", "silent"],
)
def test_other_channels_are_averaged(y, form):
    file = sound_file(np.clip(y, -1, 1), form)
    assert_allclose(load_audio(file), samples(file).mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("n_channels", [21, 64])
def test_any_number_of_independent_channels_is_averaged(n_channels):
    y = 0.1 * np.random.default_rng(0).normal(size=(RATE, n_channels))
    file = sound_file(y)
    assert_allclose(load_audio(file), samples(file).mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("n_channels", [4, 32])
def test_any_number_of_channels_cancels_in_pairs(n_channels):
    y = 0.1 * np.random.default_rng(0).normal(size=(RATE, n_channels // 2))
    y[:, 0] *= 2
    file = sound_file(np.hstack([y, -y]))
    with pytest.warns(UserWarning, match="cancel in their mean"):
        assert_allclose(load_audio(file), samples(file)[:, 0], atol=1e-7)


@pytest.mark.parametrize("form", ["WAV", "MP3"])
@pytest.mark.parametrize("first", ["opposite", "equal", "silent"])
def test_the_choice_does_not_depend_on_what_is_read_first(form, first):
    y, z = make_sound(6), make_sound(6, seed=1)
    beginning = {"opposite": [y, -y], "equal": [y, y], "silent": [0 * y, 0 * y]}
    left, right = beginning[first]
    file = sound_file(np.c_[np.r_[left, z], np.r_[right, -z]], form)
    with AudioFile(file) as audio:
        whole = audio.read()
    with AudioFile(file) as audio:
        assert_allclose(audio.read(8 * RATE, 9 * RATE), whole[8 * RATE : 9 * RATE], atol=1e-6)
        assert_allclose(audio.read(RATE, 2 * RATE), whole[RATE : 2 * RATE], atol=1e-6)
        assert audio.channels_cancel == (first != "equal")


def test_channels_that_cancel_only_first_are_warned_about():
    y = make_sound(4)
    with pytest.warns(UserWarning, match="cancel in their mean .*only the loudest channel"):
        load_audio(sound_file(np.r_[np.outer(y, [1, -1]), np.outer(y, [1, 0.5])]))


def test_channels_cancel_in_what_ffmpeg_decodes(tmp_path):
    pytest.importorskip("av")
    y = make_sound(3, 44100)
    path = encode_sound(tmp_path / "a.m4a", "aac", np.c_[y, -y])
    mono = encode_sound(tmp_path / "b.m4a", "aac", y[:, None])
    with pytest.warns(UserWarning, match="the channels of .*a.m4a cancel"):
        found = load_audio(path, sample_rate=44100)
    n = min(len(found), len(mono_y := load_audio(mono, sample_rate=44100)))
    assert abs(np.corrcoef(found[:n], mono_y[:n])[0, 1]) > 0.95


def test_parts_with_other_numbers_of_channels_follow_one_another():
    y = make_sound(1)
    chain = sound_file(np.c_[y, y], "OGG").getvalue() + sound_file(y, "OGG", 16000).getvalue()
    assert len(load_audio(io.BytesIO(chain))) == RATE + round(RATE * RATE / 16000)


def test_the_warning_of_channels_that_cancel_is_cached(tmp_path):
    y = make_sound(4)
    path = write_sound(tmp_path / "a.wav", np.c_[y, -y])
    for _ in range(2):
        with pytest.warns(UserWarning, match="cancel in their mean"):
            MFCCSegmenter(memory=tmp_path / "cache").transform([path])


# ---------------------------------------------------------------- samples on another scale


@pytest.mark.parametrize(("bits", "scale"), [(8, 128), (16, 32768), (24, 8388608)])
def test_samples_on_the_scale_of_integers_are_refused(bits, scale):
    reason = reason_of(MFCCSegmenter(), sound_file(make_sound(4) * scale))
    assert re.search(rf"samples of up to .*{bits}-bit integers, divide them by {scale},", reason)


@pytest.mark.parametrize("bits", [8, 16])
def test_integers_in_silence_are_on_the_scale_of_integers(bits):
    y = np.concatenate([np.zeros(20 * RATE), make_sound(3) * (1 << bits - 1)])
    assert f"{bits}-bit integers, divide" in reason_of(GTZANFeatures(), sound_file(y))


@pytest.mark.parametrize(
    ("peak", "n_damaged", "gain"), [(20, 1, 0.01), (30000, 1000, 1), (1e12, 1, 4)]
)
def test_single_samples_that_are_too_large_are_damaged(peak, n_damaged, gain):
    y = make_sound(4) * gain
    y[RATE : RATE + n_damaged] = peak
    reason = reason_of(MFCCSegmenter(), sound_file(y))
    assert re.search(r"samples of up to .*full scale is 1; .* damaged: clip or repair them", reason)
    assert "divide" not in reason


COMPUTED = [mfcc, lambda y: segment_mfcc([y]), gtzan_features]


@pytest.mark.parametrize("compute", COMPUTED)
@pytest.mark.parametrize("scale", [32768, 1e300])
def test_functions_of_samples_refuse_the_same(compute, scale):
    with pytest.raises(ValueError, match=r"contains samples of up to .*full scale is 1; .*divide"):
        compute(make_sound(0.5) * scale)


@pytest.mark.parametrize("compute", COMPUTED)
@pytest.mark.parametrize("peak", [17, 1e300])
def test_functions_of_samples_refuse_damaged_samples(compute, peak):
    y = make_sound(0.5)
    y[500] = -peak
    with pytest.raises(ValueError, match=r"contains samples of up to .*full scale is 1; .*damaged"):
        compute(y)


def test_samples_that_others_clip_are_used():
    y = make_sound(4)
    file = sound_file(y * 4 / np.abs(y).max())  # 12 dB
    assert np.isfinite(MFCCSegmenter().transform([file])[0, 0]).all()


# ---------------------------------------------------------------- predictions


@pytest.fixture(scope="module")
def model(tracks):
    segmenter = MFCCSegmenter(segment_duration=1, n_segments=4, placement="spread")
    pipe = make_pipeline(segmenter, SegmentSummary(statistics=["mean"]), make_baseline("logistic"))
    return pipe.fit(tracks.data, tracks.target)


@pytest.fixture(scope="module")
def gapped(tmp_path_factory, tracks):
    """Two seconds of music, two of silence, and two of music."""
    y = load_audio(tracks.data[0])[: 2 * RATE]
    y = np.concatenate([y, 0 * y, y])
    return write_sound(tmp_path_factory.mktemp("gapped") / "gapped.wav", y)


def test_parts_without_a_signal_have_no_probabilities(model, gapped):
    timeline = genre_timeline(model, gapped)
    assert timeline.start.tolist() == [0, 1, 2, 3, 4, 5]
    assert np.isnan(timeline.proba).all(axis=1).tolist() == [False, False, True, True, False, False]
    assert_allclose(timeline.proba[4:], timeline.proba[:2], atol=1e-4)
    assert np.isfinite(timeline.track_proba).all()


def test_parts_of_the_starter_model_without_a_signal(tracks):
    y = np.concatenate([load_audio(tracks.data[0]), np.zeros(41 * RATE)])
    proba = genre_timeline(starter_model("table"), sound_file(y)).proba
    # Segments at 0, 5, 10 and 15 s of 30 s; the shorter ones have no signal and are left out.
    assert np.isnan(proba).all(axis=1).tolist() == [False, True, True, True]


def test_a_timeline_of_silence_is_an_error(model):
    with pytest.raises(ValueError, match="contains no signal"):
        predict_segments(model, sound_file(np.zeros(4 * RATE)))


def test_a_vote_has_the_parts_in_which_all_members_found_a_signal(model, tracks, gapped):
    class Loud(MFCCSegmenter):
        """Cannot use what begins like the file."""

        def extract_track(self, audio):
            X = super().extract_track(audio)
            return X * np.nan if audio.read(0, 1) == first_sample else X

    vote = VotingClassifier([("a", model), ("b", model)], voting="soft", weights=[1, 3])
    vote.fit(tracks.data, tracks.target)
    first_sample = load_audio(gapped)[:1]
    vote.estimators_[1].steps[0] = ("loud", Loud(**model[0].get_params()))
    _, _, proba = predict_segments(vote, gapped)
    assert np.isnan(proba).all(axis=1).tolist() == [True, False, True, True, True, False]
    first, second = (predict_segments(m, gapped)[2] for m in vote.estimators_)
    assert_allclose(proba[[1, 5]], ((first + 3 * second) / 4)[[1, 5]])


def test_displays_leave_parts_without_a_signal_blank(model, gapped):
    display = GenreTimelineDisplay.from_estimator(model, gapped)
    mesh = display.ax_.collections[0]
    blank = np.ma.getmaskarray(mesh.get_array()).reshape(len(model.classes_), 6)
    assert blank.all(axis=0).tolist() == [False, False, True, True, False, False]
    segmenter = MFCCSegmenter(segment_duration=1.0)
    display = MFCCDisplay.from_estimator(segmenter, gapped)
    assert np.isnan(display.segments).all(axis=(1, 2)).tolist() == [*blank.all(axis=0)]
    assert "nan" not in str(display.ax_.get_xlim())


@pytest.mark.parametrize("n_parts", [6, 600])
def test_the_picture_of_a_timeline_has_gaps(n_parts):
    proba = np.full((n_parts, 2), 0.5)
    proba[n_parts // 3 : 2 * n_parts // 3] = np.nan
    start = np.arange(n_parts)
    found = Bunch(start=start, stop=start + 1, proba=proba, classes=np.array(["jazz", "rock"]))
    picture = pictures.timeline(found, "jazz", "rock")
    cells = [cell for row in picture.rows for cell in row.cells]
    assert len(cells) == 2 * min(n_parts, 60) * 2 // 3
    assert not np.isnan([[cell.x, cell.width, cell.p] for cell in cells]).any()
    assert picture.end == n_parts


def test_predict_gives_the_reason_and_leaves_parts_out(model, gapped, tmp_path):
    save(model, tmp_path / "model.skgenre", description="trained on sounds")
    silent = write_sound(tmp_path / "silent.wav", np.zeros(4 * RATE))

    def run(form):
        args = ("predict", silent, gapped, "--model", tmp_path / "model.skgenre", "--timeline")
        return CliRunner().invoke(main, [*map(os.fspath, args), "--format", form])

    result = run("jsonl")
    assert result.exit_code == 1
    assert "silent.wav: contains no signal" in result.stderr
    track = json.loads(result.stdout)
    assert [part["start"] for part in track["timeline"]] == [0, 1, 4, 5]
    rows = list(csv.DictReader(io.StringIO(run("csv").stdout)))
    assert [row["start"] for row in rows] == ["0.0", "1.0", "4.0", "5.0"]


def test_a_table_does_not_merge_parts_across_silence():
    parts = [
        {"start": a, "stop": a + 3.0, "genre": "jazz", "probabilities": {"jazz": 1.0}}
        for a in (0.0, 3.0, 9.0)
    ]
    assert [row[:2] for row in merge(parts)] == [(0, 6), (9, 12)]


def test_a_table_shows_overlapping_parts_up_to_the_next_one():
    genres = [(0.0, "jazz", 1.0), (5.0, "jazz", 0.5), (10.0, "rock", 0.4), (15.0, "rock", 0.1)]
    parts = [
        {"start": a, "stop": min(a + 30, 38), "genre": g, "probabilities": {"jazz": p}}
        for a, g, p in genres
    ]
    found = [(*row[:2], row[2]["probabilities"]["jazz"]) for row in merge(parts)]
    assert_allclose(found, [(0, 10, 0.75), (10, 38, (5 * 0.4 + 23 * 0.1) / 28)])


def test_an_evaluation_keeps_tracks_that_begin_with_silence(tmp_path):
    y, silence = make_sound(3), np.zeros(3 * RATE)
    paths = [
        write_sound(tmp_path / "a.wav", y),
        write_sound(tmp_path / "b.wav", np.concatenate([silence, y])),
        write_sound(tmp_path / "c.wav", silence),
    ]
    paths = [str(path) for path in paths]
    pipe = make_pipeline(MFCCSegmenter(n_segments=2, on_error="warn"), SegmentSummary())
    tracks = Bunch(data=paths, target=np.array(["a"] * 3), target_names=["a"], groups=np.arange(3))
    with pytest.warns(UserWarning, match="contains no signal"):
        _, used = compute_features({"it": pipe}, tracks)
    assert used.data == paths[:2]
    [(path, reason)] = used.left_out
    assert path == paths[2]
    assert "contains no signal" in reason


def test_extract_counts_tracks_that_begin_with_silence(tmp_path):
    y = np.concatenate([np.zeros(3 * RATE), make_sound(3)])
    path = write_sound(tmp_path / "a.wav", y)
    args = ["extract", str(path), "-o", str(tmp_path / "store"), "--segments", "2"]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 0, result.output
    assert "1 track," in result.output
