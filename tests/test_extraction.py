"""One contract for the transformers of files: what goes in, what fails, and how it is told."""

import io
import pickle
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib._parallel_backends import ThreadingBackend
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.metadata_routing import get_routing_for_object

from skgenre import (
    AudioError,
    FrontEnd,
    GTZANFeatures,
    MFCCSegmenter,
    SegmentSummary,
    UnreadableTracksError,
    extract_store,
    load_audio,
    make_baseline,
)
from skgenre.audio import AudioFile

from .conftest import make_sound, write_sound

EXTRACTORS = [MFCCSegmenter(segment_duration=1.0, n_segments=2), GTZANFeatures()]


@pytest.fixture(params=EXTRACTORS, ids=lambda extractor: type(extractor).__name__)
def extractor(request):
    return clone(request.param)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Three files of other formats, rates and lengths."""
    folder = tmp_path_factory.mktemp("sounds")
    return [
        str(write_sound(folder / "a.wav", make_sound(2.5, seed=1))),
        str(write_sound(folder / "b.flac", make_sound(1.5, 44100, 2, seed=2), 44100)),
        str(write_sound(folder / "c.ogg", make_sound(2.0, 16000, seed=3), 16000)),
    ]


# ---------------------------------------------------------------- scikit-learn's conventions


def test_clone_and_parameters(extractor):
    assert extractor.set_params(n_jobs=2, on_error="warn") is extractor
    assert clone(extractor).get_params() == extractor.get_params()
    with pytest.raises(ValueError, match="Invalid parameter 'tempo'"):
        extractor.set_params(tempo=120)


def test_stateless(extractor, sounds):
    before = extractor.transform(sounds)
    assert extractor.fit(sounds[:1]) is extractor
    assert_array_equal(extractor.transform(sounds), before)
    assert_array_equal(clone(extractor).fit_transform(sounds), before)
    assert vars(extractor) == vars(clone(extractor))  # fit stores nothing


def test_pickles(extractor, sounds, tmp_path):
    expected = extractor.transform(sounds)
    joblib.dump(extractor, tmp_path / "extractor")
    for copy in (pickle.loads(pickle.dumps(extractor)), joblib.load(tmp_path / "extractor")):
        assert_array_equal(copy.transform(sounds), expected)


def test_fit_reads_no_audio(extractor):
    extractor.fit(["missing.wav"])


def test_labels_and_routing(extractor, sounds):
    assert_array_equal(
        extractor.fit_transform(sounds, ["a", "b", "c"]), extractor.transform(sounds)
    )
    assert not get_routing_for_object(extractor).fit.requests  # nothing is asked for


@pytest.mark.parametrize("parameter", ["on_error", "n_jobs", "verbose"])
def test_bad_parameters(extractor, sounds, parameter):
    extractor.set_params(**{parameter: "some"})
    for method in (extractor.fit, extractor.transform):
        with pytest.raises(ValueError, match=f"'{parameter}' parameter of .*Got 'some'"):
            method(sounds)


# ---------------------------------------------------------------- tracks are independent


def test_one_track_alone_gets_the_row_it_gets_among_others(extractor, sounds):
    expected = extractor.transform(sounds)
    for i, path in enumerate(sounds):
        assert_array_equal(extractor.transform([path])[0], expected[i])
    assert_array_equal(extractor.transform(sounds[::-1]), expected[::-1])
    assert_array_equal(extractor.transform([sounds[1]] * 3), expected[[1, 1, 1]])


def test_the_number_of_jobs_changes_nothing(extractor, sounds):
    expected = extractor.transform(sounds)
    for n_jobs in (2, -1):
        assert_array_equal(clone(extractor).set_params(n_jobs=n_jobs).transform(sounds), expected)


@pytest.mark.slow
def test_processes_give_the_same_and_carry_errors_home(extractor, sounds, tmp_path):
    expected = extractor.transform(sounds)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        # Not to the bit: joblib limits the threads of BLAS in its workers.
        assert_allclose(extractor.transform(sounds), expected, rtol=1e-4, atol=1e-4)
        with pytest.raises(UnreadableTracksError, match="no such file"):
            extractor.transform([*sounds, tmp_path / "missing.wav"])


# ---------------------------------------------------------------- collections


def test_takes_paths_however_they_come(extractor, sounds):
    expected = extractor.transform(sounds)
    for X in (
        tuple(sounds),
        [Path(path) for path in sounds],
        np.array(sounds),
        np.array(sounds, dtype=object)[:, None],
        pd.Series(sounds, index=[5, 6, 7]),
        pd.Series(sounds, dtype="string"),
        pd.DataFrame({"path": sounds}),
        [io.BytesIO(Path(path).read_bytes()) for path in sounds],
    ):
        assert_array_equal(extractor.fit_transform(X), expected)
    with open(sounds[0], "rb") as file:
        assert_array_equal(extractor.transform([file])[0], expected[0])
        assert not file.closed


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([], ValueError, "Found no tracks"),
        (np.array([], dtype=object), ValueError, "Found no tracks"),
        ("song.wav", TypeError, "got the single path 'song.wav'"),
        (Path("song.wav"), TypeError, "single path"),
        (io.BytesIO(), TypeError, "single path"),
        (np.zeros((2, 3)), ValueError, r"shape \(2, 3\).*remove the front end"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), ValueError, "one column"),
        (["a.wav", None], TypeError, "Track 1 is None"),
        ([1.5], TypeError, "Track 0 is 1.5, of type float"),
        ([["a.wav"]], TypeError, r"Track 0 is \['a.wav'\], of type list"),
    ],
)
def test_bad_collections(extractor, X, error, message):
    for method in (extractor.fit, extractor.transform, extractor.fit_transform):
        with pytest.raises(error, match=message):
            method(X)


# ---------------------------------------------------------------- messy folders


@pytest.fixture
def messy(sounds, tmp_path):
    """Good tracks, and after each a bad one."""
    (tmp_path / "folder").mkdir()
    empty = tmp_path / "empty.wav"
    empty.touch()
    text = tmp_path / "notes.mp3"
    text.write_text("nothing to hear")
    missing = tmp_path / "missing.wav"
    bad = [tmp_path / "folder", str(empty), text, missing]
    return [x for pair in zip([*sounds, sounds[0]], bad, strict=True) for x in pair]


REASONS = ["is a folder", "is empty (0 bytes)", "not audio", "no such file"]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_all_unreadable_tracks_are_reported_in_one_error(extractor, messy, n_jobs):
    with pytest.raises(UnreadableTracksError) as caught:
        extractor.set_params(n_jobs=n_jobs).transform(messy)
    error = caught.value
    assert [failure.path for failure in error.failures] == [str(path) for path in messy[1::2]]
    for failure, reason in zip(error.failures, REASONS, strict=True):
        assert isinstance(failure, AudioError)
        assert reason in failure.reason
        assert f"  {failure}\n" in str(error)
    assert str(error).startswith("4 of 8 tracks cannot be used:")
    assert "on_error='warn'" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.n_tracks == 8


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_lenient_policy_keeps_the_rows_and_warns_once(extractor, messy, n_jobs):
    lenient = clone(extractor).set_params(on_error="warn", n_jobs=n_jobs)
    with pytest.warns(UserWarning, match="4 of 8 tracks") as caught:
        X = lenient.transform(messy)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert all(str(path) in str(caught[0].message) for path in messy[1::2])
    assert np.isnan(X[1::2]).all()
    assert_array_equal(X[::2], extractor.transform(messy[::2]))


def test_lenient_policy_on_good_files_is_silent(extractor, sounds):
    extractor.set_params(on_error="warn").transform(sounds)  # warnings are errors


def test_long_lists_of_failures_are_shortened(extractor):
    with pytest.raises(UnreadableTracksError, match=r"30 of 30(.|\n)*and 10 more") as caught:
        extractor.transform([f"missing{i}.wav" for i in range(30)])
    assert len(caught.value.failures) == 30
    assert "missing19.wav" in str(caught.value)
    assert "missing20.wav" not in str(caught.value)


def test_truncated_files_are_used_with_one_warning(extractor, sounds, tmp_path):
    content = Path(sounds[0]).read_bytes()
    cuts = [tmp_path / "cut1.wav", tmp_path / "cut2.wav"]
    for cut in cuts:
        cut.write_bytes(content[: len(content) * 7 // 10])
    with pytest.warns(UserWarning, match=r"2 of 3 files end early.*\n.*cut1.*\n.*cut2") as caught:
        X = extractor.transform([cuts[0], sounds[1], cuts[1]])
    assert len(caught) == 1
    assert_array_equal(X[0], X[2])
    assert not np.isnan(X[:, 0]).any()


def test_a_file_that_goes_away_between_fit_and_transform(extractor, sounds, tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(Path(sounds[0]).read_bytes())
    extractor.fit([path])
    path.unlink()
    with pytest.raises(UnreadableTracksError, match=r"song\.wav: no such file"):
        extractor.transform([path])


def test_both_transformers_fail_alike(messy):
    messages = []
    for extractor in EXTRACTORS:
        with pytest.raises(UnreadableTracksError) as caught:
            extractor.transform(messy)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_names_with_spaces_umlauts_and_lines(extractor, sounds, tmp_path):
    for name in ("ein Lied.wav", "Übung é 音楽.wav", "two\nlines.wav", "x" * 200 + ".wav"):
        path = tmp_path / name
        path.write_bytes(Path(sounds[0]).read_bytes())
        assert_array_equal(extractor.transform([path]), extractor.transform(sounds[:1]))


# ---------------------------------------------------------------- the cache


@pytest.fixture
def counted(monkeypatch):
    """Names of the files that are opened."""
    opened = []
    open_file = AudioFile.__init__

    def noting_init(self, path, *args, **kwargs):
        opened.append(Path(path).name)
        open_file(self, path, *args, **kwargs)

    monkeypatch.setattr(AudioFile, "__init__", noting_init)
    return opened


@pytest.fixture
def cached(extractor, tmp_path):
    return extractor.set_params(memory=str(tmp_path / "cache"))


@pytest.mark.parametrize("kind", [str, Path, lambda path: joblib.Memory(path, verbose=0)])
def test_a_file_is_computed_once(extractor, sounds, tmp_path, counted, kind):
    expected = extractor.transform(sounds)
    counted.clear()
    cached = clone(extractor).set_params(memory=kind(tmp_path / "cache"))
    assert_array_equal(cached.transform(sounds), expected)
    assert counted == ["a.wav", "b.flac", "c.ogg"]
    assert_array_equal(cached.transform(sounds[::-1]), expected[::-1])
    assert_array_equal(clone(cached).fit_transform([Path(sounds[1])])[0], expected[1])
    assert len(counted) == 3


@pytest.mark.slow
def test_neither_policy_nor_jobs_are_part_of_the_key(cached, sounds, counted, capsys):
    cached.transform(sounds)
    cached.set_params(on_error="warn", n_jobs=2, verbose=1).transform(sounds)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        cached.transform(sounds)
    assert len(counted) == 3


def test_a_changed_file_is_computed_anew(cached, sounds, tmp_path, counted):
    path = tmp_path / "song.wav"
    path.write_bytes(Path(sounds[0]).read_bytes())
    before = cached.transform([path])
    write_sound(path, make_sound(2.5, seed=9))
    after = cached.transform([path])
    assert len(counted) == 2
    assert not np.array_equal(before, after)
    assert_array_equal(after, clone(cached).set_params(memory=None).transform([path]))


def test_a_changed_parameter_is_computed_anew(sounds, tmp_path, counted):
    for extractor in (
        MFCCSegmenter(segment_duration=1.0),
        MFCCSegmenter(segment_duration=1.0, n_mfcc=20),
        MFCCSegmenter(segment_duration=0.5),
        GTZANFeatures(),
        GTZANFeatures(max_duration=1.0),
    ):
        expected = extractor.transform(sounds[:1])
        extractor.set_params(memory=str(tmp_path))
        for _ in range(2):
            assert_array_equal(extractor.transform(sounds[:1]), expected)
    assert len(counted) == 5 * 2


def test_another_version_of_a_library_computes_anew(cached, sounds, counted, monkeypatch):
    cached.transform(sounds[:1])
    monkeypatch.setattr("skgenre.features.cache.versions", lambda: ("0.0", "another"))
    cached.transform(sounds[:1])
    assert len(counted) == 2


def test_failures_and_truncation_are_told_each_time(cached, sounds, tmp_path, counted):
    cut = tmp_path / "cut.wav"
    content = Path(sounds[0]).read_bytes()
    cut.write_bytes(content[: len(content) * 7 // 10])
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"1 of 1 files end early.*\n.*cut\.wav"):
            cached.transform([cut])
        with pytest.raises(UnreadableTracksError, match=r"missing\.wav: no such file"):
            cached.transform([tmp_path / "missing.wav"])
    assert counted.count("cut.wav") == 1
    # And a file that is mended is used.
    write_sound(tmp_path / "missing.wav", make_sound(2.0))
    assert not np.isnan(cached.transform([tmp_path / "missing.wav"])[:, 0]).any()


def test_file_objects_are_not_kept(cached, sounds, tmp_path):
    for path in sounds[:2]:
        expected = clone(cached).set_params(memory=None).transform([path])
        stream = io.BytesIO(Path(path).read_bytes())
        stream.name = "same"
        assert_array_equal(cached.transform([stream]), expected)


def test_a_search_decodes_each_file_once(tracks, tmp_path, counted):
    model = make_pipeline(
        MFCCSegmenter(segment_duration=1.0, n_segments=2, memory=str(tmp_path)),
        SegmentSummary(),
        make_baseline("svm"),
    )
    search = GridSearchCV(
        model, {"pipeline__svc__C": [0.1, 1, 10], "pipeline__svc__kernel": ["rbf", "linear"]}, cv=3
    )
    search.fit(tracks.data, tracks.target).predict(tracks.data)
    assert sorted(counted) == sorted(Path(path).name for path in tracks.data)


def test_cached_pipelines_pickle(cached, sounds):
    expected = cached.transform(sounds)
    assert_array_equal(pickle.loads(pickle.dumps(cached)).transform(sounds), expected)


# ---------------------------------------------------------------- an extractor of one's own


class Peaks(FrontEnd):
    """The largest sample of each second, for two seconds."""

    sample_rate = 8000
    track_shape = (2, 1, 1)

    def extract_track(self, audio):
        y = audio.read(0, 16000)
        if len(y) < 8000:
            raise AudioError(audio.name, "shorter than a second")
        return np.abs(y[: len(y) // 8000 * 8000]).reshape(-1, 8000).max(axis=1)[:, None, None]


def test_a_subclass_with_one_method_is_an_extractor(sounds, tmp_path, counted):
    expected = Peaks().transform(sounds)
    y = load_audio(sounds[0], sample_rate=8000)[:16000]
    assert_array_equal(expected[0, :, 0, 0], np.abs(y).reshape(2, 8000).max(axis=1))
    assert np.isnan(expected[1, 1]).all()  # of 1.5 seconds
    assert_array_equal(Peaks(n_jobs=2).transform(sounds), expected)
    assert_array_equal(extract_store(Peaks(), sounds, tmp_path / "store").data, expected)
    for _ in range(2):
        counted.clear()
        assert_array_equal(Peaks(memory=tmp_path / "cache").transform(sounds), expected)
    assert not counted


def test_errors_of_a_subclass_are_reported_as_those_of_ours(sounds, tmp_path):
    paths = [write_sound(tmp_path / "short.wav", make_sound(0.5)), *sounds]
    with pytest.raises(UnreadableTracksError, match=r"short\.wav: shorter than a second"):
        Peaks().transform(paths)
    with pytest.warns(UserWarning, match="1 of 4 tracks"):
        found = Peaks(on_error="warn").transform(paths)
    assert np.isnan(found[0]).all()
    assert_array_equal(found[1:], Peaks().transform(sounds))


def test_the_base_alone_is_no_extractor():
    with pytest.raises(TypeError, match="abstract"):
        FrontEnd()


# ---------------------------------------------------------------- progress


def test_progress_bar_goes_to_stderr(extractor, sounds, capsys):
    extractor.set_params(verbose=1).transform(sounds)
    captured = capsys.readouterr()
    assert "3/3" in captured.err
    assert type(extractor).__name__ in captured.err
    assert not captured.out


def test_no_progress_bar_unless_asked_for(extractor, sounds, capsys):
    with warnings.catch_warnings():
        extractor.transform(sounds)
    captured = capsys.readouterr()
    assert not captured.err
    assert not captured.out


def test_in_a_pipeline_behind_a_list_of_names(extractor, sounds):
    """Names of files need not be paths: a step before may make them."""
    folder = Path(sounds[0]).parent
    find = FunctionTransformer(lambda names: [folder / name for name in names])
    model = make_pipeline(find, extractor)
    names = [Path(path).name for path in sounds]
    assert_array_equal(model.fit_transform(names), extractor.transform(sounds))


# ---------------------------------------------------------------- backends of joblib


class WithoutGenerators(ThreadingBackend):
    """As Ray's and Spark's: all results come at once."""

    supports_return_generator = False


def test_a_backend_that_returns_all_at_once(extractor, sounds):
    joblib.register_parallel_backend("without generators", WithoutGenerators)
    expected = extractor.transform(sounds)
    with joblib.parallel_config("without generators", n_jobs=2):
        assert_array_equal(extractor.transform(sounds), expected)
