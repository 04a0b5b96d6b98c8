"""Displays: what they draw is what was measured."""

import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgenre import (
    ANNClassifier,
    MFCCSegmenter,
    SegmentScaler,
    SegmentSummary,
    compare_models,
    genre_timeline,
    load_audio,
    make_baseline,
)
from skgenre.evaluation import leakage_report
from skgenre.plotting import (
    GenreTimelineDisplay,
    HistoryDisplay,
    LeakageDisplay,
    MelSpectrogramDisplay,
    MFCCDisplay,
)
from skgenre.report import check_installed

from .conftest import make_pieces, make_sound, write_sound

SCHEMES = ["random pieces", "by track", "by artist"]
MODELS = {"nn": KNeighborsClassifier(1), "dummy": DummyClassifier()}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def report():
    return leakage_report(MODELS, make_pieces(), n_splits=3)


def bars(ax):
    """Heights of the bars, a row per scheme."""
    containers = [c for c in ax.containers if hasattr(c, "patches")]
    return [[bar.get_height() for bar in container.patches] for container in containers]


def test_bars_are_the_scores(report):
    display = LeakageDisplay(report).plot()
    expected = report.pivot(index="splitting", columns="model", values="accuracy")
    assert_allclose(bars(display.ax_), expected.loc[SCHEMES, list(MODELS)])
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == [f"{score:.2f}" for score in np.ravel(bars(display.ax_))]


def test_a_model_without_random_pieces_has_no_such_bar(report):
    some = report[(report["model"] == "nn") | (report["splitting"] != "random pieces")]
    display = LeakageDisplay(some).plot()
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert (len(display.ax_.patches), labels) == (5, list(MODELS))


def test_error_bars_are_one_standard_deviation(report):
    ax = LeakageDisplay(report).plot().ax_
    lines = [c.lines[2][0] for c in ax.containers if not hasattr(c, "patches")]
    found = [[segment[:, 1] for segment in line.get_segments()] for line in lines]
    for scheme, ends in zip(SCHEMES, found, strict=True):
        rows = report[report["splitting"] == scheme]
        for (low, high), mean, std in zip(
            ends, rows["accuracy"], rows["accuracy_std"], strict=True
        ):
            assert_allclose([low, high], [mean - std, mean + std])


def test_everything_is_labeled(report):
    ax = LeakageDisplay(report).plot().ax_
    assert [label.get_text() for label in ax.get_xticklabels()] == list(MODELS)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == SCHEMES
    assert ax.get_legend().get_title().get_text() == "folds"
    assert ax.get_ylabel() == "accuracy"
    assert ax.get_ylim() == (0, 1)


def test_labels_can_be_read(report):
    """Black on each bar's color, by WCAG 2's ratio of luminances for small text."""
    ax = LeakageDisplay(report).plot().ax_
    for container in (c for c in ax.containers if hasattr(c, "patches")):
        rgb = np.array(to_rgb(container.patches[0].get_facecolor()))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        assert (linear @ [0.2126, 0.7152, 0.0722] + 0.05) / 0.05 > 4.5


def test_other_scorers_and_given_axes(report):
    figure, (first, second) = plt.subplots(1, 2)
    display = LeakageDisplay(report, "f1_macro")
    assert display.plot(second) is display
    assert display.ax_ is second
    assert display.figure_ is figure
    assert second.get_ylabel() == "f1 macro"
    assert not first.containers
    with pytest.raises(KeyError, match="recall"):
        LeakageDisplay(report, "recall").plot()


def test_from_estimator(report):
    display = LeakageDisplay.from_estimator(MODELS, make_pieces(), n_splits=3)
    assert_allclose(display.report["accuracy"], report["accuracy"])
    _, ax = plt.subplots()
    alone = LeakageDisplay.from_estimator(KNeighborsClassifier(1), make_pieces(), ax=ax, n_splits=3)
    assert alone.ax_ is ax
    assert [label.get_text() for label in ax.get_xticklabels()] == ["KNeighborsClassifier"]


def test_comparisons_of_any_schemes():
    table = make_pieces()
    found = compare_models(MODELS, table["data"], table["target"], cv=2, scoring="accuracy")
    ax = LeakageDisplay(found.table).plot().ax_
    assert np.shape(bars(ax)) == (1, 2)


@pytest.mark.parametrize(("module", "use"), [
    ("matplotlib.pyplot", LeakageDisplay(None).plot),
    ("jinja2", check_installed),
])  # fmt: skip
def test_a_missing_package_is_named_with_the_remedy(module, use, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)  # importing it fails
    with pytest.raises(ImportError, match=r"requires \w+: pip install skgenre\[plot\]"):
        use()


# ---------------------------------------------------------------- of pipelines and tracks


@pytest.fixture(scope="module")
def network(tracks):
    segmenter = MFCCSegmenter(n_segments=4, segment_duration=1)
    classifier = ANNClassifier(
        hidden_units=(16,), epochs=6, early_stopping=True, validation_fraction=0.25, random_state=0
    )
    return make_pipeline(segmenter, SegmentScaler(), classifier).fit(tracks.data, tracks.target)


def test_history(network):
    display = HistoryDisplay.from_estimator(network)
    history = network[-1].history_
    for ax, name in zip(display.ax_, ("loss", "accuracy"), strict=True):
        training, held_out = ax.get_lines()
        assert_allclose(training.get_ydata(), history[name])
        assert_allclose(held_out.get_ydata(), history[f"val_{name}"])
        assert training.get_xdata().tolist() == list(range(1, len(history[name]) + 1))
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "held out"]
    figure, axes = plt.subplots(1, 2)
    assert HistoryDisplay({"loss": [1], "accuracy": [0.5]}).plot(axes).figure_ is figure
    with pytest.raises(TypeError, match=r"must be a fitted network.*has no attribute history_"):
        HistoryDisplay.from_estimator(DummyClassifier())


def test_a_timeline_is_the_network_s_segments(network, tracks):
    path = tracks.data[3]
    timeline = genre_timeline(network, path)
    tensor = network[:-1].transform([path])
    assert_allclose(timeline.proba, network[-1].predict_segments_proba(tensor)[0], atol=1e-6)
    assert_allclose(timeline.track_proba, network.predict_proba([path])[0], atol=1e-6)
    assert timeline.start.tolist() == [0, 1, 2, 3]
    assert timeline.stop.tolist() == [1, 2, 3, 4]


def test_a_timeline_goes_over_the_whole_song(network, tmp_path):
    path = write_sound(tmp_path / "long.wav", make_sound(12))
    assert genre_timeline(network, path).stop[-1] == 12


def test_a_timeline_of_a_vote_is_the_mean_of_its_members(network, tracks):
    summary = make_pipeline(clone(network[0]), SegmentSummary(), make_baseline("logistic"))
    vote = VotingClassifier(
        [("a", network), ("none", "drop"), ("b", summary)], voting="soft", weights=[1, 9, 2]
    )
    vote.fit(tracks.data, tracks.target)
    timeline = genre_timeline(vote, tracks.data[0])
    first, second = (genre_timeline(m, tracks.data[0]).proba for m in vote.estimators_)
    assert_allclose(timeline.proba, (first + 2 * second) / 3)


def test_what_has_no_timeline(tracks):
    with pytest.raises(TypeError, match="begins with a front end"):
        genre_timeline(make_pipeline(DummyClassifier()).fit([[0], [1]], [0, 1]), tracks.data[0])
    pipe = make_pipeline(MFCCSegmenter(segment_duration=1), SegmentSummary(), make_baseline("svm"))
    with pytest.raises(TypeError, match="has no predict_proba"):
        genre_timeline(pipe.fit(tracks.data, tracks.target), tracks.data[0])


def test_the_picture_of_a_timeline(network, tracks):
    display = GenreTimelineDisplay.from_estimator(network, tracks.data[0])
    timeline = genre_timeline(network, tracks.data[0])
    [mesh] = display.ax_.collections
    assert_allclose(mesh.get_array().reshape(3, -1), timeline.proba.T)
    assert display.ax_.get_xlim() == (0, 4)
    assert display.ax_.get_xlabel() == "time (min:s)"
    ticks = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert ticks == ["0:00", "0:01", "0:02", "0:03", "0:04"]
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == timeline.classes.tolist()
    answer = network.predict(tracks.data[:1])[0]
    assert f": {answer}, {timeline.track_proba.max():.2f}" in display.ax_.get_title()


def test_segments_of_a_track(network, tracks):
    display = MFCCDisplay.from_estimator(network, tracks.data[0])
    [segments] = network[0].transform(tracks.data[:1])
    assert_allclose(display.segments, segments)
    [mesh] = [c for c in display.ax_.collections if c.get_array() is not None]
    scaled = StandardScaler().fit_transform(segments.reshape(-1, 13))
    assert_allclose(mesh.get_array().reshape(13, -1), scaled.T, atol=1e-4)
    assert [label.get_text() for label in display.ax_.get_yticklabels()][::6] == ["1", "13"]
    assert display.ax_.get_xlim()[1] == pytest.approx(4, abs=0.05)
    with pytest.raises(TypeError, match="must be an MFCCSegmenter"):
        MFCCDisplay.from_estimator(DummyClassifier(), tracks.data[0])


def test_mel_spectrogram_of_a_track(tmp_path):
    path = write_sound(tmp_path / "a.wav", np.sin(np.arange(44100) * 2 * np.pi * 1000 / 22050) / 2)
    display = MelSpectrogramDisplay.from_path(path)
    [mesh] = display.ax_.collections
    level = mesh.get_array().reshape(128, -1)
    import librosa

    frequency = librosa.mel_frequencies(130, fmax=11025)[1:-1][level.mean(axis=1).argmax()]
    assert 950 < frequency < 1050
    assert level.max() == 0
    assert_allclose(display.y, load_audio(path))


def test_a_confusion_matrix_straight_from_paths(network, tracks):
    from sklearn.metrics import ConfusionMatrixDisplay

    display = ConfusionMatrixDisplay.from_estimator(network, tracks.data, tracks.target)
    assert display.confusion_matrix.sum() == len(tracks.data)
    correct = np.trace(display.confusion_matrix) / len(tracks.data)
    assert correct == network.score(tracks.data, tracks.target)
