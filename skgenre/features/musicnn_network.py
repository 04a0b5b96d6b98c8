"""The network musicnn as an ONNX graph, from log-mel patches to embeddings, and its tags.

The architecture is that of J. Pons et al., "End-to-end learning for music audio tagging at scale",
ISMIR 2018, as implemented in musicnn 0.1.0:

- front end: timbral filters of 7 frames by 38 or 67 bands and temporal filters of 128, 64 or 32
  frames of one band, each followed by max pooling over frequency;
- mid end: three convolutions over 7 frames, the second and third with residual connections;
- back end: max and mean pooling over time of all these layers, and a dense layer of 200 units;
- output: a dense layer of 50 units with a sigmoid, one for each tag.

Each layer but the last is followed by a bias, ReLU and batch normalization.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import expit

from ..onnx_graph import Graph, Session, for_blocks

#: Number of frames and mel bands of a patch; a patch is 3 seconds long.
N_FRAMES, N_MELS = 187, 96

#: Dimension of an embedding.
N_EMBEDDING = 200

_TAGS = {
    "MTT": (
        "guitar, classical, slow, techno, strings, drums, electronic, rock, fast, piano, "
        "ambient, beat, violin, vocal, synth, female, indian, opera, male, singing, vocals, "
        "no vocals, harpsichord, loud, quiet, flute, woman, male vocal, no vocal, pop, soft, "
        "sitar, solo, man, classic, choir, voice, new age, dance, male voice, female vocal, "
        "beats, harp, cello, no voice, weird, country, metal, female voice, choral"
    ),
    "MSD": (
        "rock, pop, alternative, indie, electronic, female vocalists, dance, 00s, "
        "alternative rock, jazz, beautiful, metal, chillout, male vocalists, classic rock, "
        "soul, indie rock, Mellow, electronica, 80s, folk, 90s, chill, instrumental, punk, "
        "oldies, blues, hard rock, ambient, acoustic, experimental, female vocalist, guitar, "
        "Hip-Hop, 70s, party, country, easy listening, sexy, catchy, funk, electro, "
        "heavy metal, Progressive rock, 60s, rnb, indie pop, sad, House, happy"
    ),
}

#: The tags of each training set in the order of the outputs, from ``configuration.py`` of musicnn
#: 0.1.0 (ISC license).
TAGS = {weights: names.split(", ") for weights, names in _TAGS.items()}

#: Epsilon of batch normalization, TensorFlow's default.
_EPSILON = 1e-3


class Musicnn:
    """The network musicnn, whose output layer is separate from the graph.

    Parameters
    ----------
    arrays : mapping of str to float32 ndarray
        Variables of the checkpoint by name.

    Raises
    ------
    KeyError
        If a variable is missing.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        graph = Graph((N_FRAMES, N_MELS))
        output = _add_layers(graph, arrays)
        self._session = Session(graph.to_bytes(output, N_EMBEDDING, "embeddings"))
        self._output_layer = arrays["dense_1/kernel"], arrays["dense_1/bias"]

    def embed(self, patches: np.ndarray) -> np.ndarray:
        """Compute the embeddings of patches.

        Parameters
        ----------
        patches : float32 ndarray of shape (n_patches, 187, 96)
            Log-mel spectrograms.

        Returns
        -------
        embeddings : float32 ndarray of shape (n_patches, 200)
            Embedding of each patch.
        """
        embeddings = np.empty((len(patches), N_EMBEDDING), np.float32)

        def compute(block):
            embeddings[block] = self._session(patches[block])

        for_blocks(compute, len(patches), 1)
        return embeddings

    def tag(self, embeddings: np.ndarray) -> np.ndarray:
        """Compute the probabilities of the tags from embeddings.

        Parameters
        ----------
        embeddings : float32 ndarray of shape (n_patches, 200)
            Output of :meth:`embed`.

        Returns
        -------
        probabilities : float32 ndarray of shape (n_patches, 50)
            Independent probabilities, in the order of :data:`TAGS`.
        """
        kernel, bias = self._output_layer
        return expit(embeddings @ kernel + bias)


def _add_layers(graph: Graph, arrays: Mapping[str, np.ndarray]) -> str:
    """Append the layers to a graph and return the name of the output."""

    def get(kind, i, *names):
        return [arrays[f"{kind}_{i}/{name}" if i else f"{kind}/{name}"] for name in names]

    def normalize(x, i, n_axes):
        weights = get("batch_normalization", i, "gamma", "beta", "moving_mean", "moving_variance")
        return graph.batch_normalization(x, *weights, n_axes=n_axes, epsilon=_EPSILON)

    def convolve(x, i, padding):
        kernel, bias = get("conv2d", i, "kernel", "bias")
        y = graph.conv2d(x, kernel, bias, padding=padding)
        return normalize(graph.add("Relu", y), i + 1, n_axes=4)

    def pad_frames(x):
        return graph.add("Pad", x, np.array([0, 3, 0, 0] * 2))

    x = graph.add("Reshape", graph.input, np.array([0, N_FRAMES, N_MELS, 1]))
    x = normalize(x, 0, n_axes=4)
    front = [convolve(pad_frames(x), i, "valid") for i in (0, 1)]
    front += [convolve(x, i, "same") for i in (2, 3, 4)]
    maxima = [graph.add("ReduceMax", y, axes=[2], keepdims=0) for y in front]
    layers = [graph.add("Concat", *maxima, axis=2)]
    for i in (5, 6, 7):
        # The kernel spans all channels of the last layer, as the bands of a single channel.
        y = graph.add("Unsqueeze", layers[-1], np.array([3]))
        y = graph.add("Squeeze", convolve(pad_frames(y), i, "valid"), np.array([2]))
        layers.append(y if i == 5 else graph.add("Add", y, layers[-1]))
    x = graph.add("Concat", *layers, axis=2)
    # The maximum and the mean of each channel are adjacent.
    pooled = [graph.add(operator, x, axes=[1]) for operator in ("ReduceMax", "ReduceMean")]
    x = graph.add("Transpose", graph.add("Concat", *pooled, axis=1), perm=[0, 2, 1])
    x = normalize(graph.add("Reshape", x, np.array([0, -1])), 9, n_axes=2)
    x = graph.dense(x, *get("dense", 0, "kernel", "bias"))
    return normalize(graph.add("Relu", x), 10, n_axes=2)
