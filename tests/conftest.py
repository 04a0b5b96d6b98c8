"""Factories for sounds and tensors, and the folder of real recordings where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from hypothesis import settings
from threadpoolctl import threadpool_limits

from skgenre.cli import main
from skgenre.datasets import make_tracks

# One thread whatever the machine has: results depend on their number to the last bit, and the
# tests run in two processes.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# The same examples in every run, so that a failure is not a matter of luck, and no time limit.
settings.register_profile("tests", derandomize=True, deadline=None, max_examples=40)
settings.load_profile("tests")


def pytest_collection_modifyitems(items):
    """Run the longest tests first, so that no process is left with them at the end."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")


def slow_but(first, names):
    """Parameters of which `make test` takes only the first, and `make test-extras` the others."""
    return [first, *(pytest.param(n, marks=pytest.mark.slow) for n in names if n != first)]


def make_tensor(n_tracks=24, n_segments=3, n_frames=8, n_coefficients=4, n_classes=3, seed=0):
    """Tracks of classes that a small network can tell apart, and their labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_tracks) % n_classes
    X = rng.normal(size=(n_tracks, n_segments, n_frames, n_coefficients)).astype(np.float32)
    X += np.eye(n_classes, n_coefficients, dtype=np.float32)[y][:, None, None, :] * 1.5
    return X, np.array([f"genre{i}" for i in y])


def make_pieces(n_genres=3, n_artists=6, n_tracks=3, n_pieces=4, seed=0):
    """A table in which a piece says more of its track and its artist than of its genre."""
    rng = np.random.default_rng(seed)
    shape = (n_genres, n_artists, n_tracks, n_pieces)
    genre, artist, track, _ = (axis.ravel() for axis in np.indices(shape))
    artist = genre * n_artists + artist
    track = artist * n_tracks + track
    effects = [(genre, 0.7), (artist, 1.2), (track, 1.2)]
    X = sum(size * rng.normal(size=(labels.max() + 1, 10))[labels] for labels, size in effects)
    return {
        "data": X + 0.3 * rng.normal(size=X.shape),
        "target": np.array([f"genre{i}" for i in genre]),
        "track_ids": track,
        "groups": artist,
    }


def make_sound(seconds=3.0, sample_rate=22050, channels=1, seed=0):
    """A chirp in noise: every sample matters, nothing clips."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    chirp = np.sin(2 * np.pi * (200 + 300 * t) * t)
    y = 0.3 * chirp[:, None] * np.linspace(1, 0.5, channels) + 0.1 * rng.normal(
        size=(len(t), channels)
    )
    return np.clip(y[:, 0] if channels == 1 else y, -0.99, 0.99)


def write_sound(path, y, sample_rate=22050, **kwargs):
    """Write in small blocks: libsndfile's Vorbis encoder crashes on one of a minute."""
    channels = 1 if y.ndim == 1 else y.shape[1]
    with soundfile.SoundFile(path, "w", sample_rate, channels, **kwargs) as file:
        for start in range(0, len(y), 4096):
            file.write(y[start : start + 4096])
    return Path(path)


def encode_sound(path, codec, y, sample_rate=44100):
    """Write what libsndfile does not, with PyAV; `y` has a column for each channel."""
    import av

    layout = {1: "mono", 2: "stereo"}[y.shape[1]]
    packed = np.ascontiguousarray(y, np.float32).reshape(1, -1)
    with av.open(str(path), "w", format="adts" if path.suffix == ".aac" else None) as container:
        stream = container.add_stream(codec, rate=sample_rate, layout=layout)
        stream.bit_rate = 96_000 * y.shape[1]
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate = sample_rate
        frame.pts = 0
        resampler = av.AudioResampler(
            format=stream.codec_context.format,
            rate=sample_rate,
            frame_size=stream.frame_size or 1024,
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def run_python(code, *args, **env):
    """Run code in a new process; its standard output. Whatever it writes to stderr fails."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


@pytest.fixture
def run():
    """The command line, in this process."""

    def run(*args, **kwargs):
        return CliRunner().invoke(main, [str(arg) for arg in args], **kwargs)

    return run


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """NumPy's and scikit-learn's threads, too: the processes share the cores."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def tracks(tmp_path_factory):
    """Synthetic tracks as files: three genres, four artists each, four segments a track."""
    return make_tracks(
        8,
        genres=["classical", "disco", "metal"],
        duration=4.2,
        artists_per_genre=4,
        random_state=0,
        folder=tmp_path_factory.mktemp("tracks"),
    )


@pytest.fixture(scope="session")
def data():
    """Tracks some of which lack segments, but none all."""
    X, y = make_tensor(30)
    X[1, 2:] = X[4, 1:] = np.nan
    return X, y


@pytest.fixture(scope="session")
def gtzan():
    """The folder of real recordings."""
    folder = os.environ.get("SKGENRE_GTZAN")
    if not folder:
        pytest.skip("needs recordings: set SKGENRE_GTZAN to a GTZAN folder")
    return Path(folder)
