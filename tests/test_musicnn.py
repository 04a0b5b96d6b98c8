"""musicnn: its network against TensorFlow, its spectrogram against librosa, its patches."""

from importlib import metadata, util

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline

from skgenre import MusicnnEmbedder, SegmentVotingClassifier, UnreadableTracksError, load, save
from skgenre.features import musicnn
from skgenre.features.checkpoints import read_checkpoint
from skgenre.features.musicnn_network import TAGS, Musicnn

from .conftest import make_sound, write_sound

KERNELS = {
    "conv2d": (7, 38, 1, 204),
    "conv2d_1": (7, 67, 1, 204),
    "conv2d_2": (128, 1, 1, 51),
    "conv2d_3": (64, 1, 1, 51),
    "conv2d_4": (32, 1, 1, 51),
    "conv2d_5": (7, 561, 1, 64),
    "conv2d_6": (7, 64, 1, 64),
    "conv2d_7": (7, 64, 1, 64),
    "dense": (1506, 200),
    "dense_1": (200, 50),
}
NORMALISED = (1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)

#: Samples of a patch: from the centre of its first frame to that of its last.
PATCH = 186 * 256


def random_arrays(seed=0):
    """Variables of the shapes of musicnn's, which also turn some channels round."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in KERNELS.items():
        size = np.prod(shape[:-1])
        arrays[f"{name}/kernel"] = rng.normal(size=shape) / np.sqrt(size)
        arrays[f"{name}/bias"] = 0.1 * rng.normal(size=shape[-1])
    for i, n in enumerate(NORMALISED):
        name = f"batch_normalization_{i}" if i else "batch_normalization"
        arrays[f"{name}/gamma"] = rng.normal(size=n)
        arrays[f"{name}/beta"] = rng.normal(size=n)
        arrays[f"{name}/moving_mean"] = 0.1 * rng.normal(size=n)
        arrays[f"{name}/moving_variance"] = rng.uniform(0.5, 2, size=n)
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def random_patches(n):
    rng = np.random.default_rng(1)
    return np.log10(1 + 10000 * rng.gamma(0.3, size=(n, 187, 96)) ** 2).astype(np.float32)


@pytest.fixture(scope="module")
def arrays():
    return random_arrays()


# ---------------------------------------------------------------- network


def tensorflows_embeddings(arrays, patches):
    """The network in TensorFlow's layers, after the articles."""
    import tensorflow as tf

    def name(kind, i):
        return f"{kind}_{i}" if i else kind

    def normalised(x, i):
        parts = ("moving_mean", "moving_variance", "beta", "gamma")
        values = [arrays[f"{name('batch_normalization', i)}/{part}"] for part in parts]
        return tf.nn.batch_normalization(x, *values, 1e-3)

    def convolved(x, i, padding):
        kernel, bias = (arrays[f"{name('conv2d', i)}/{part}"] for part in ("kernel", "bias"))
        return normalised(tf.nn.relu(tf.nn.conv2d(x, kernel, 1, padding) + bias), i + 1)

    def padded(x):
        return tf.pad(x, [[0, 0], [3, 3], [0, 0], [0, 0]])

    x = normalised(patches[..., None], 0)
    front = [convolved(padded(x), i, "VALID") for i in (0, 1)]
    front += [convolved(x, i, "SAME") for i in (2, 3, 4)]
    layers = [tf.concat([tf.reduce_max(y, axis=2) for y in front], axis=-1)]
    for i in (5, 6, 7):
        y = convolved(padded(layers[-1][..., None]), i, "VALID")[:, :, 0]
        layers.append(y + layers[-1] if i > 5 else y)
    x = tf.concat(layers, axis=-1)
    pooled = tf.stack([tf.reduce_max(x, axis=1), tf.reduce_mean(x, axis=1)], axis=-1)
    x = normalised(tf.reshape(pooled, (len(patches), -1)), 9)
    return normalised(tf.nn.relu(x @ arrays["dense/kernel"] + arrays["dense/bias"]), 10).numpy()


def test_the_network_is_tensorflows(arrays):
    patches = random_patches(2)
    expected = tensorflows_embeddings(arrays, patches)
    assert_allclose(Musicnn(arrays).embed(patches), expected, atol=1e-4)


def published_outputs(folder, patches):
    """Embeddings and tags of the published graph, with the published weights, in TensorFlow."""
    import tensorflow as tf

    v1 = tf.compat.v1
    meta = v1.MetaGraphDef()
    meta.ParseFromString((folder / ".meta").read_bytes())
    layers = ["model/batch_normalization_10/batchnorm/add_1", "model/Sigmoid"]
    # Without the gradients, which later versions of TensorFlow do not read.
    graph = v1.graph_util.extract_sub_graph(meta.graph_def, [*layers, "save/restore_all"])
    with v1.Graph().as_default(), v1.Session() as session:
        v1.import_graph_def(graph, name="")
        session.run("save/restore_all", {"save/Const:0": f"{folder}/"})
        inputs = {"model/Placeholder:0": patches, "model/Placeholder_2:0": False}
        return session.run([f"{layer}:0" for layer in layers], inputs)


@pytest.mark.parametrize("weights", ["MTT", "MSD"])
def test_the_published_network_is_that_of_its_graph(weights):
    try:
        folder = metadata.distribution("musicnn").locate_file(f"musicnn/{weights}_musicnn")
    except metadata.PackageNotFoundError:
        pytest.skip("needs musicnn: make test-extras")
    patches = random_patches(3)
    embeddings, tags = published_outputs(folder, patches)
    network = musicnn._published(weights)
    assert_allclose(network.embed(patches), embeddings, atol=1e-4)
    assert_allclose(network.tag(embeddings), tags, atol=1e-5)


def test_tags_equal_those_of_musicnn(gtzan):
    """On quiet tracks; those of loud ones depend on the resampler, which was another."""
    if not util.find_spec("musicnn"):
        pytest.skip("needs musicnn: make test-extras")
    network = musicnn._published("MSD")
    with np.load(gtzan / "musicnn_msd_tags" / "test_filtered.npz") as patches:
        tags, track = patches["tags"], patches["track"]
    for name in ("classical.00015", "classical.00020"):
        y, rate = librosa.load(gtzan / "three_genres" / "classical" / f"{name}.flac", sr=16000)
        mel = librosa.feature.melspectrogram(y=y, sr=rate, n_fft=512, hop_length=256, n_mels=96)
        x = np.log10(1 + 10000 * mel.T).astype(np.float32)
        x = np.stack([x[start : start + 187] for start in range(0, len(x) - 186, 61)])
        assert_allclose(network.tag(network.embed(x)), tags[track == name], atol=0.02)


# ---------------------------------------------------------------- checkpoints


def write_checkpoint(prefix, arrays):
    import tensorflow as tf

    names = list(arrays)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(arrays[name]) for name in names],
    )


def test_a_checkpoint_is_read_as_by_tensorflow(tmp_path):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    arrays = {f"layer_{i}/kernel": rng.normal(size=(i, 3)).astype("f") for i in range(300)}
    arrays |= {"layer_1/scalar": np.float32(2), "step": np.int64(7)}
    write_checkpoint(tmp_path / "model", arrays)
    reader = tf.train.load_checkpoint(str(tmp_path / "model"))
    found = read_checkpoint(tmp_path / "model")
    assert found.keys() == arrays.keys() - {"step"}
    for name, array in found.items():
        assert_array_equal(array, reader.get_tensor(name), strict=True)


@pytest.mark.parametrize("damage", [lambda index: b"", lambda index: index[100:]])
def test_a_damaged_checkpoint(tmp_path, damage):
    write_checkpoint(tmp_path / "model", {f"kernel_{i}": np.zeros(9, "f") for i in range(20)})
    index = tmp_path / "model.index"
    index.write_bytes(damage(index.read_bytes()))
    with pytest.raises(ValueError, match="not the index of a TensorFlow checkpoint"):
        read_checkpoint(tmp_path / "model")


# ---------------------------------------------------------------- the installed distribution


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Make a function that installs a musicnn of some version with random weights."""
    folder = tmp_path / "site-packages"

    def make(version, arrays=None):
        info = folder / f"musicnn-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: musicnn\nVersion: {version}\n")
        if arrays is not None:
            (folder / "musicnn" / "MTT_musicnn").mkdir(parents=True)
            write_checkpoint(f"{folder}/musicnn/MTT_musicnn/", arrays)
        monkeypatch.syspath_prepend(folder)

    musicnn._published.cache_clear()
    yield make
    musicnn._published.cache_clear()


def test_embeddings_of_an_installed_checkpoint(install, arrays, tmp_path):
    install("0.1.0", arrays)
    y = make_sound(PATCH / 16000, 16000)
    path = write_sound(tmp_path / "a.wav", y, 16000, subtype="FLOAT")
    mel = librosa.feature.melspectrogram(y=y, sr=16000, n_fft=512, hop_length=256, n_mels=96)
    patch = np.log10(1 + 10000 * mel.T[None]).astype(np.float32)
    X = MusicnnEmbedder().transform([path])
    assert_allclose(X[0, 0], Musicnn(arrays).embed(patch), atol=1e-3)


def test_without_musicnn(monkeypatch):
    musicnn._published.cache_clear()
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(ImportError, match=r"not installed; run 'pip install --no-deps musicnn=="):
        MusicnnEmbedder().fit(["a.wav"])


def test_another_version_of_musicnn(install):
    install("0.0.4")
    with pytest.raises(ImportError, match=r"musicnn 0\.0\.4 is installed"):
        MusicnnEmbedder().fit(["a.wav"])


def test_an_installation_without_the_files(install):
    install("0.1.0")
    with pytest.raises(ImportError, match=r"cannot be read.*\.index"):
        MusicnnEmbedder().fit(["a.wav"])


# ---------------------------------------------------------------- segments


class Recorder:
    """In place of a network: keeps patches, and gives their first numbers for embeddings."""

    def __init__(self):
        self.patches = []

    def embed(self, patches):
        self.patches.extend(patches.copy())
        return patches.reshape(len(patches), -1)[:, :200]


@pytest.fixture
def recorder(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(musicnn, "_published", lambda weights: recorder)
    return recorder


@pytest.fixture(scope="module")
def long_track(tmp_path_factory):
    """Twenty-one patches and a bit, its samples, and its log-mel spectrogram by librosa."""
    y = make_sound(21.4 * 187 * 256 / 16000, 16000).astype(np.float32)
    path = tmp_path_factory.mktemp("musicnn") / "long.wav"
    mel = librosa.feature.melspectrogram(y=y, sr=16000, n_fft=512, hop_length=256, n_mels=96)
    return write_sound(path, y, 16000, subtype="FLOAT"), np.log10(1 + 10000 * mel.T)


def test_patches_are_librosas_spectrogram_of_the_whole_track(recorder, long_track):
    path, spectrogram = long_track
    X = MusicnnEmbedder().transform([path])
    assert X.shape == (1, 21, 1, 200)
    assert_allclose(np.concatenate(recorder.patches), spectrogram[: 21 * 187], atol=1e-4)


@pytest.mark.parametrize(
    ("n_segments", "chosen"), [(1, [10]), (2, [5, 15]), (3, [3, 10, 17]), (21, range(21))]
)
def test_segments_spread_over_a_track(recorder, long_track, n_segments, chosen):
    path, spectrogram = long_track
    X = MusicnnEmbedder(n_segments=n_segments).transform([path])
    assert X.shape == (1, n_segments, 1, 200)
    expected = [spectrogram[187 * i : 187 * (i + 1)] for i in chosen]
    assert_allclose(recorder.patches, expected, atol=1e-4)


@pytest.mark.parametrize("n_segments", [3, 12])
def test_segments_from_the_start(recorder, long_track, n_segments):
    path, spectrogram = long_track
    X = MusicnnEmbedder(n_segments=n_segments, placement="start").transform([path])
    assert X.shape == (1, n_segments, 1, 200)
    assert_allclose(np.concatenate(recorder.patches), spectrogram[: n_segments * 187], atol=1e-4)


def test_tracks_of_fewer_segments_are_padded(recorder, long_track, tmp_path):
    short = write_sound(tmp_path / "a.wav", make_sound(PATCH / 16000, 16000), 16000)
    X = MusicnnEmbedder(n_segments=4).transform([short, long_track[0]])
    assert np.isnan(X).all(axis=(2, 3)).tolist() == [[False, True, True, True], [False] * 4]


def test_a_track_shorter_than_a_segment(recorder, tmp_path):
    path = write_sound(tmp_path / "a.wav", make_sound(PATCH / 16000, 16000)[:-1], 16000)
    with pytest.raises(UnreadableTracksError, match=r"2\.98 s of audio is too short for a segment"):
        MusicnnEmbedder().transform([path])


@pytest.mark.parametrize(("n_segments", "chosen"), [(None, range(10)), (1, [5]), (4, [1, 3, 6, 8])])
def test_a_file_that_ends_early(recorder, long_track, tmp_path, n_segments, chosen):
    whole, spectrogram = long_track
    content = whole.read_bytes()
    path = tmp_path / "cut.wav"
    path.write_bytes(content[: len(content) // 2])
    with pytest.warns(UserWarning, match="end early"):
        X = MusicnnEmbedder(n_segments=n_segments).transform([path])
    assert X.shape == (1, len(chosen), 1, 200)
    expected = [spectrogram[187 * i : 187 * (i + 1)] for i in chosen]
    assert_allclose(recorder.patches[-len(chosen) :], expected, atol=1e-4)


def test_threads_change_nothing(install, arrays, long_track, tmp_path):
    install("0.1.0", arrays)
    paths = [long_track[0]] * 3
    one = MusicnnEmbedder(n_segments=1).transform(paths)
    assert_array_equal(one, MusicnnEmbedder(n_segments=1, n_jobs=2).transform(paths))


@pytest.mark.parametrize(
    ("weights", "output", "n", "ends"),
    [
        ("MSD", "embedding", 200, ["musicnn_msd1", "musicnn_msd200"]),
        ("MTT", "tags", 50, ["guitar", "choral"]),
        ("MSD", "tags", 50, ["rock", "happy"]),
    ],
)
def test_names(weights, output, n, ends):
    names = MusicnnEmbedder(weights=weights, output=output).get_feature_names_out()
    assert len(set(names)) == n
    assert names[[0, -1]].tolist() == ends


def test_tags_are_the_last_layer_on_the_embeddings(install, arrays, long_track):
    install("0.1.0", arrays)
    embeddings = MusicnnEmbedder(n_segments=2).transform([long_track[0]])
    tags = MusicnnEmbedder(n_segments=2, output="tags").transform([long_track[0]])
    logits = embeddings @ arrays["dense_1/kernel"] + arrays["dense_1/bias"]
    assert tags.shape == (1, 2, 1, 50)
    assert_allclose(tags, 1 / (1 + np.exp(-logits.astype(float))), atol=1e-6)


@pytest.mark.parametrize("weights", ["MTT", "MSD"])
def test_the_tags_are_those_of_musicnn(weights):
    try:
        path = metadata.distribution("musicnn").locate_file("musicnn/configuration.py")
    except metadata.PackageNotFoundError:
        pytest.skip("needs musicnn: make test-extras")
    names = {}
    exec(path.read_text(), names)  # lists only
    assert TAGS[weights] == names[f"{weights}_LABELS"]


def test_a_model_file(recorder, tmp_path):
    rng = np.random.default_rng(0)
    paths = [
        write_sound(tmp_path / f"{i}.wav", scale * rng.normal(size=PATCH), 16000)
        for i, scale in enumerate((0.01, 0.02, 0.1, 0.2))
    ]
    model = make_pipeline(MusicnnEmbedder(n_segments=1), SegmentVotingClassifier())
    model.fit(paths, ["quiet", "quiet", "loud", "loud"])
    save(model, tmp_path / "model.skgenre")
    found = load(tmp_path / "model.skgenre")
    assert_array_equal(found.predict_proba(paths), model.predict_proba(paths))
