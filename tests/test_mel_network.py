"""What the network over log-mel spectrograms adds: crops, masks, its loss and learning rate."""

import threading

import keras
import numpy as np
import pytest
from sklearn.base import clone

from skgenre import MelCNNClassifier
from skgenre.networks import training
from skgenre.networks.mel import crop, distort
from skgenre.networks.training import Segments, SmoothedCrossentropy, WarmupCosine

from .conftest import make_tensor
from .registry import NETWORKS


def mel(**parameters):
    return clone(NETWORKS["mel"]).set_params(**{"epochs": 2, **parameters})


def assert_same_weights(a, b):
    for x, y in zip(a.weights_, b.weights_, strict=True):
        np.testing.assert_array_equal(x, y)


# ---------------------------------------------------------------- crops and masks


def test_crops_begin_anywhere():
    x = np.arange(400 * 9, dtype=np.float32).reshape(400, 9, 1)
    crops = crop(x, 5, np.random.default_rng(0))
    starts = (crops[:, 0] - x[:, 0])[:, 0]
    np.testing.assert_array_equal(crops, x[:, :5] + starts[:, None, None])
    assert set(starts) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("crop_frames", [None, 9, 12])
def test_segments_shorter_than_a_crop_are_whole(crop_frames):
    x = np.random.default_rng(0).normal(size=(3, 9, 2)).astype(np.float32)
    np.testing.assert_array_equal(crop(x, crop_frames, np.random.default_rng(0)), x)


def test_masks_are_runs_of_bands_and_frames_on_top_of_a_level():
    x = np.full((500, 216, 64), 9, np.float32)
    out = distort(x, np.random.default_rng(0))
    assert (x == 9).all()
    levels = out.max(axis=(1, 2))
    np.testing.assert_allclose((levels.mean(), levels.std()), (9, 0.3), atol=0.05)
    masked = out == 0
    np.testing.assert_array_equal(out, np.where(masked, 0, levels[:, None, None]))
    bands, frames = masked.all(axis=1), masked.all(axis=2)
    np.testing.assert_array_equal(masked, bands[:, None, :] | frames[:, :, None])
    n_bands, n_frames = bands.sum(axis=1), frames.sum(axis=1)
    assert 20 <= n_bands.max() <= 24
    assert n_frames.max() == 40
    np.testing.assert_allclose(n_frames.mean(), 20, atol=2)
    np.testing.assert_allclose(n_bands.mean(), 12, atol=1.5)  # two masks that may overlap
    assert (np.abs(np.diff(frames.astype(int), axis=1)).sum(axis=1) <= 2).all()
    # No band is spared, not even the first and the last.
    assert bands.any(axis=0).all()


def test_small_segments_are_not_wiped_out():
    x = np.ones((1000, 1, 1), np.float32)
    assert distort(x, np.random.default_rng(0)).all()
    x = np.ones((1000, 4, 3), np.float32)
    assert distort(x, np.random.default_rng(0)).any(axis=(1, 2)).all()


def test_held_out_segments_are_whole_and_unchanged():
    X, _ = make_tensor(4)
    augment = mel(crop_frames=5)._augment
    segments = Segments(X, np.ones((4, 3), bool), np.arange(4), np.arange(4), np.ones(4), augment)
    [(x, _, _)] = segments.batches(100, None)
    np.testing.assert_array_equal(x, X.reshape(12, 8, 4))
    [(x, _, _)] = segments.batches(100, np.random.default_rng(0))
    assert x.shape == (12, 5, 4)


# ---------------------------------------------------------------- loss and learning rate


def test_learning_rate_is_keras_warm_up_and_cosine():
    ours = WarmupCosine(0.002, first_step=50, n_steps=100)
    theirs = keras.optimizers.schedules.CosineDecay(0.0, 90, warmup_target=0.002, warmup_steps=10)
    found = [float(ours(step)) for step in range(50, 150)]
    # The first step learns something.
    expected = [float(theirs(step + 1 if step < 10 else step)) for step in range(100)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)
    assert float(WarmupCosine(0.002, 50, 0)(70)) == np.float32(0.002)


def test_smoothed_loss_is_keras_of_one_hot_labels():
    rng = np.random.default_rng(0)
    y, proba = rng.integers(4, size=9), rng.dirichlet(np.ones(4), 9).astype(np.float32)
    found = SmoothedCrossentropy(label_smoothing=0.1)(y, proba, sample_weight=np.arange(9))
    theirs = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    np.testing.assert_allclose(found, theirs(np.eye(4)[y], proba, np.arange(9)), rtol=1e-6)


# ---------------------------------------------------------------- fits


@pytest.mark.slow
def test_shared_networks_train_as_new_ones_do(data):
    cases = [
        *({}, {"epochs": 4, "learning_rate": 0.1}, {"weight_decay": 0.9}),
        {"crop_frames": None, "augment": False, "validation_fraction": 0.3},
    ]
    training._IDLE.clear()
    shared = [mel(**case).fit(*data) for case in cases]
    # Only what is compiled into a network makes another.
    assert len(training._IDLE) == 2
    for case, found in zip(cases, shared, strict=True):
        training._IDLE.clear()
        alone = mel(**case).fit(*data)
        assert_same_weights(found, alone)
        assert case == {} or any(
            (a != b).any() for a, b in zip(alone.weights_, shared[0].weights_, strict=True)
        )


@pytest.mark.slow
def test_threads_at_once_equal_fits_in_turn(data):
    expected = [mel(random_state=i).fit(*data) for i in range(4)]
    found = [mel(random_state=i) for i in range(4)]
    threads = [threading.Thread(target=clf.fit, args=data, daemon=True) for clf in found]
    for thread in threads:
        thread.start()
    for a, b, thread in zip(found, expected, threads, strict=True):
        thread.join(timeout=120)
        assert_same_weights(a, b)


@pytest.fixture(scope="module")
def fitted(data):
    return mel().fit(*data)


def test_predicts_on_any_number_of_frames(fitted):
    model = fitted.to_keras()
    for n_frames in (1, 5, 13):
        longer, _ = make_tensor(10, n_segments=2, n_frames=n_frames, seed=4)
        found = fitted.predict_segments_proba(longer).reshape(-1, 3)
        expected = model(longer.reshape(-1, n_frames, 4))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_every_fit_has_its_own_course_of_the_learning_rate_and_parts_a_constant_one(
    data, monkeypatch
):
    X, y = data
    courses = []
    assign = WarmupCosine.assign

    def recording(self, *numbers):
        if any(numbers):  # zeros are those of a new schedule
            courses.append(numbers)
        assign(self, *numbers)

    monkeypatch.setattr(WarmupCosine, "assign", recording)
    n_batches = -(-(30 * 3 - 3) // 8)
    clf = mel(warm_start=True).fit(X, y).fit(X, y)
    clf.partial_fit(X, y)
    assert courses == [
        (0.03, 0, 2 * n_batches),
        (0.03, 2 * n_batches, 2 * n_batches),
        (0.03, 4 * n_batches, 0),
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_keras_saves_and_loads_its_models(data, tmp_path):
    path = str(tmp_path / "model.keras")
    clf = mel(callbacks=[keras.callbacks.ModelCheckpoint(path)]).fit(*data)
    clf.to_keras().save(tmp_path / "bare.keras")
    X = data[0][:, 0]
    checkpoint, bare = (keras.models.load_model(p) for p in (path, tmp_path / "bare.keras"))
    assert checkpoint.optimizer.weight_decay == MelCNNClassifier().weight_decay
    expected = bare(X)
    np.testing.assert_allclose(checkpoint(X), expected, atol=1e-6)
    np.testing.assert_allclose(clf.predict_proba(X), expected, atol=1e-5)
