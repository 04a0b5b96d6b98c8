"""Files that cannot be used are in no figure, and are counted in words."""

import numpy as np
import pytest

from skgenre import MFCCSegmenter, SegmentSummary, describe, load, load_store, make_baseline, save
from skgenre.datasets import load_folder
from skgenre.pipelines import genre_pipeline

from .conftest import make_sound, write_sound


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Two genres that differ in their pitch, three tracks each."""
    folder = tmp_path_factory.mktemp("clean")
    for genre, low in [("jazz", 0), ("rock", 1)]:
        for i in range(3):
            path = folder / genre / f"{i}.wav"
            path.parent.mkdir(exist_ok=True)
            y = make_sound(3.5, seed=i)
            write_sound(path, np.diff(y) / 2 if low else np.cumsum(y - y.mean()) / 200)
    return folder


@pytest.fixture(scope="module")
def music(clean, tmp_path_factory):
    """The same, and a file of each genre that cannot be used: junk, and one without a segment."""
    folder = tmp_path_factory.mktemp("music")
    for path in clean.rglob("*.wav"):
        target = folder / path.relative_to(clean)
        target.parent.mkdir(exist_ok=True)
        target.hardlink_to(path)
    (folder / "jazz" / "bad.wav").write_bytes(b"junk" * 100)
    write_sound(folder / "rock" / "short.wav", make_sound(0.5))
    return folder


@pytest.fixture(scope="module")
def model(clean, tmp_path_factory):
    """What predicts rock where there is no track, so that such a track would be right or wrong."""
    tracks = load_folder(clean)
    path = tmp_path_factory.mktemp("model") / "model.skgenre"
    save(genre_pipeline("knn").fit(tracks.data, tracks.target), path)
    return path


def test_train_counts_what_it_has_used_and_learns_from_nothing_else(music, clean, tmp_path, run):
    path = tmp_path / "model.skgenre"
    result = run("train", music, "-o", path, "--preset", "knn")
    assert result.exit_code == 0, result.output
    words = "knn, trained on 6 tracks: jazz 3, rock 3."
    assert describe(path)["description"] == words
    assert result.stdout == (
        f"{path}: knn, trained on 6 of 8 tracks: jazz 3, rock 3; 2 cannot be used.\n"
    )
    tracks = load_folder(clean)
    alone = genre_pipeline("knn", random_state=0).fit(tracks.data, tracks.target)
    np.testing.assert_array_equal(
        load(path).predict_proba(tracks.data), alone.predict_proba(tracks.data)
    )


def test_a_model_is_evaluated_on_what_can_be_used(music, clean, model, run):
    interval = "(95% confidence interval 100.0% to 100.0% by file)"
    result = run("evaluate", music, "--model", model)
    assert result.exit_code == 0, result.output
    words = f"{model}: 100.0% accuracy on 6 of 8 tracks {interval}; 2 cannot be used"
    assert result.stdout.splitlines()[0] == words
    result = run("evaluate", clean, "--model", model)
    assert result.stdout.splitlines()[0] == f"{model}: 100.0% accuracy on 6 tracks {interval}"


def test_presets_are_evaluated_on_what_can_be_used(music, clean, run):
    first = run("evaluate", music, "--preset", "knn").stdout
    second = run("evaluate", clean, "--preset", "knn").stdout
    assert "on unseen files (6 of 8 tracks," in first
    assert first.splitlines()[0].endswith("; 2 cannot be used")
    assert first.replace("6 of 8 ", "6 ").replace("; 2 cannot be used", "") == second


def test_a_genre_without_a_track_that_can_be_used_is_an_error(clean, tmp_path, run):
    for name in ("jazz", "rock"):
        (tmp_path / "music" / name).mkdir(parents=True)
    for i in range(2):
        (tmp_path / "music" / "jazz" / f"bad{i}.wav").write_bytes(b"junk" * 100)
        (tmp_path / "music" / "rock" / f"{i}.wav").hardlink_to(clean / "rock" / f"{i}.wav")
    for args in [
        ("train", tmp_path / "music", "-o", tmp_path / "m"),
        ("evaluate", tmp_path / "music"),
    ]:
        result = run(*args)
        assert result.exit_code == 1
        assert "no track of jazz can be used" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "m").exists()


def test_extract_counts_what_can_be_used(music, tmp_path, run):
    result = run("extract", music, "-o", tmp_path / "store")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{tmp_path / 'store'}: 6 of 8 tracks, ")
    assert result.stdout.endswith(" MB; 2 cannot be used\n")
    assert len(load_store(tmp_path / "store").data) == 8


def test_extract_of_nothing_that_can_be_used_is_an_error(tmp_path, run):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"junk" * 100)
    for _ in range(2):  # a finished store does not make it a success
        result = run("extract", tmp_path, "-o", tmp_path / "store")
        assert result.exit_code == 1
        assert not result.stdout
        assert "none of 2 tracks can be used" in result.stderr.splitlines()[-1]


def test_the_best_estimator_of_a_search_can_be_evaluated(clean, tmp_path, run):
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    tracks = load_folder(clean)
    pipe = make_pipeline(MFCCSegmenter(), SegmentSummary(), make_baseline("knn"))
    search = GridSearchCV(pipe, {"mfccsegmenter__n_segments": [1]}, cv=3)
    best = search.fit(tracks.data, tracks.target).best_estimator_
    save(best, tmp_path / "best.skgenre")
    result = run("evaluate", clean, "--model", tmp_path / "best.skgenre")
    assert "100.0% accuracy on 6 tracks (" in result.stdout, result.output


def test_a_model_is_evaluated_on_genres_in_its_own_spelling(clean, tmp_path, run):
    tracks = load_folder(clean)
    model = genre_pipeline("knn").fit(tracks.data, np.char.upper(tracks.target))
    save(model, tmp_path / "model.skgenre")
    result = run("evaluate", clean, "--model", tmp_path / "model.skgenre")
    assert ": 100.0% accuracy on 6 tracks (" in result.stdout, result.output
