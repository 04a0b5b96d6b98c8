"""Weight initialization in NumPy."""

from __future__ import annotations

import numpy as np

from .layers import Architecture, Weight


def initial_weights(architecture: Architecture, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw initial weights from the distributions of the default Keras initializers.

    Kernels are Glorot uniform [1]_ and recurrent kernels orthogonal [2]_; the bias of the forget
    gate of LSTM layers is 1 [3]_. The weights are drawn with NumPy, so that they do not depend on
    the random number generators and threads of TensorFlow.

    Parameters
    ----------
    architecture : Architecture
        Layers of the network.
    rng : Generator
        Random number generator.

    Returns
    -------
    weights : list of float32 ndarray
        Initial weights, layer by layer.

    References
    ----------
    .. [1] X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010.
    .. [2] A. M. Saxe, J. L. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics
       of learning in deep linear neural networks", arXiv:1312.6120, 2013.
    .. [3] R. Jozefowicz, W. Zaremba and I. Sutskever, "An empirical exploration of recurrent
       network architectures", ICML 2015.
    """
    return [_initial(weight, rng) for weights in architecture.weights for weight in weights]


def _initial(weight: Weight, rng: np.random.Generator) -> np.ndarray:
    shape = weight.shape
    if weight.initializer == "glorot_uniform":
        receptive_field = int(np.prod(shape[:-2]))
        limit = np.sqrt(6 / (receptive_field * (shape[-2] + shape[-1])))
        return rng.uniform(-limit, limit, shape).astype(np.float32)
    if weight.initializer == "orthogonal":
        # With these signs, the orthogonal matrices are uniformly distributed.
        q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
        q *= np.sign(np.diag(r))
        return np.ascontiguousarray(q.T if shape[0] < shape[1] else q, np.float32)
    if weight.initializer == "unit_forget_bias":
        units = shape[0] // 4
        return np.repeat(np.array([0, 1, 0, 0], np.float32), units)
    return np.full(shape, weight.initializer == "ones", np.float32)
