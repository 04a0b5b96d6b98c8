"""
A front end of an ONNX file
===========================

Embeddings of large pretrained networks, such as MERT or CLAP, are often the best features. For
whoever has the weights, exported to an ONNX file that maps samples to embeddings, this front end
computes them, with the caching, error handling and parallel reading of the other front ends. Check
the license of the weights: many are not for commercial use.
"""
# sphinx_gallery_thumbnail_path = 'images/mfcc.png'

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgenre import FrontEnd, SegmentVotingClassifier
from skgenre.datasets import make_tracks


@cache
def open_session(path):
    """Return a session, which is shared by all tracks of a process."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # tracks are processed in parallel
    return onnxruntime.InferenceSession(path, options)


class ONNXEmbedder(FrontEnd):
    """Embeddings of consecutive windows of a track.

    Parameters
    ----------
    path : str
        ONNX file. Its input are samples of shape ``(n_windows, n_samples)``, float32 between -1
        and 1, and its first output embeddings of shape ``(n_windows, n_dimensions)``. The cache
        does not notice other weights under the same path.
    sample_rate : int, default=16000
        Sample rate in Hz for which the network was trained.
    window_duration : float, default=5.0
        Duration of a window in seconds.
    """

    def __init__(self, path, *, sample_rate=16000, window_duration=5.0, on_error="raise",
                 memory=None, n_jobs=None, verbose=0, augment=None):  # fmt: skip
        super().__init__(
            on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose, augment=augment
        )
        self.path = path
        self.sample_rate = sample_rate
        self.window_duration = window_duration

    @property
    def track_shape(self):
        """Any number of windows, each with one vector."""
        return (None, 1, open_session(self.path).get_outputs()[0].shape[-1])

    def extract_track(self, audio):
        """Return the embeddings of an open track."""
        samples = audio.read()
        size = round(self.window_duration * self.sample_rate)
        windows = np.pad(samples, (0, -len(samples) % size)).reshape(-1, size)
        session = open_session(self.path)
        [given] = session.get_inputs()
        [embeddings, *_] = session.run(None, {given.name: windows})
        return embeddings[:, None]


# %%
# A small network
# ---------------
# In place of a published network, this example writes a random bank of 16 filters to a file, of
# whose outputs it takes the mean level.

folder = tempfile.TemporaryDirectory()
filters = np.random.default_rng(0).normal(size=(16, 1, 64)).astype(np.float32)
value, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
graph = onnx.helper.make_graph(
    [
        node("Unsqueeze", ["samples", "one"], ["channels"]),
        node("Conv", ["channels", "filters"], ["bands"], strides=[16]),
        node("Abs", ["bands"], ["levels"]),
        node("ReduceMean", ["levels"], ["means"], axes=[2], keepdims=0),
        node("Log", ["means"], ["embeddings"]),
    ],
    "filters",
    [value("samples", onnx.TensorProto.FLOAT, ["n_windows", "n_samples"])],
    [value("embeddings", onnx.TensorProto.FLOAT, ["n_windows", 16])],
    [
        onnx.numpy_helper.from_array(np.array([1]), "one"),
        onnx.numpy_helper.from_array(filters, "filters"),
    ],
)
path = Path(folder.name) / "filters.onnx"
opset = onnx.helper.make_opsetid("", 17)
onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)

# %%
# A pipeline
# ----------
# Each window is a segment of one frame.

tracks = make_tracks(8, genres=4, duration=10, random_state=0, folder=f"{folder.name}/tracks")
model = make_pipeline(
    ONNXEmbedder(str(path), n_jobs=2),
    SegmentVotingClassifier(make_pipeline(StandardScaler(), LogisticRegression(C=10))),
)
scores = cross_val_score(model, tracks.data, tracks.target, cv=4)
print(f"accuracy {scores.mean():.2f}, {model[0].transform(tracks.data[:1]).shape}")
folder.cleanup()
