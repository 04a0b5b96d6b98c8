"""The first weights of a network, drawn in NumPy."""

from __future__ import annotations

import numpy as np

from .layers import Architecture, Weight


def initial_weights(architecture: Architecture, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw the first weights as Keras' default initialisers do.

    Glorot and Bengio (2010) for kernels, Saxe et al. (2013) for recurrent ones; the forget
    gate's bias is 1 (Jozefowicz et al., 2015). Drawn in NumPy, so that they do not depend
    on TensorFlow's generators or threads.
    """
    return [_initial(weight, rng) for weights in architecture.weights for weight in weights]


def _initial(weight: Weight, rng: np.random.Generator) -> np.ndarray:
    shape = weight.shape
    if weight.initializer == "glorot_uniform":
        receptive_field = int(np.prod(shape[:-2]))
        limit = np.sqrt(6 / (receptive_field * (shape[-2] + shape[-1])))
        return rng.uniform(-limit, limit, shape).astype(np.float32)
    if weight.initializer == "orthogonal":
        # One row block of a random orthogonal matrix, signs made unique.
        q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
        q *= np.sign(np.diag(r))
        return np.ascontiguousarray(q.T if shape[0] < shape[1] else q, np.float32)
    if weight.initializer == "unit_forget_bias":
        units = shape[0] // 4
        return np.repeat(np.array([0, 1, 0, 0], np.float32), units)
    return np.full(shape, weight.initializer == "ones", np.float32)
