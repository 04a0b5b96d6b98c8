import numpy as np
import pytest

from skgenre import ANNClassifier, CNNClassifier, LSTMClassifier, MelCNNClassifier, layers as L

PUBLISHED = [
    (ANNClassifier(), 1_014_218, 1_014_218),
    (CNNClassifier(), 45_514, 45_322),
    (LSTMClassifier(), 57_802, 57_802),
]


def architecture(classifier, input_shape=(130, 13), n_classes=10):
    hidden = classifier.hidden_layers(input_shape)
    return L.Architecture(input_shape, (*hidden, L.Dense(n_classes, "softmax")))


@pytest.mark.parametrize(("classifier", "n_parameters", "n_trainable"), PUBLISHED)
def test_parameter_counts_of_the_published_networks(classifier, n_parameters, n_trainable):
    network = architecture(classifier)
    assert network.count_parameters() == n_parameters
    assert network.count_parameters(trainable_only=True) == n_trainable


@pytest.mark.parametrize(("classifier", "n_parameters", "n_trainable"), PUBLISHED)
def test_keras_counts_the_same(classifier, n_parameters, n_trainable):
    from skgenre.networks.training import build_keras

    model = build_keras(architecture(classifier))
    assert model.count_params() == n_parameters
    assert sum(np.prod(v.shape) for v in model.trainable_variables) == n_trainable


def test_shapes_of_the_published_cnn():
    shapes = architecture(CNNClassifier()).shapes
    assert shapes[1:] == (
        (130, 13, 1),
        (128, 11, 32),
        (64, 6, 32),
        (64, 6, 32),
        (62, 4, 32),
        (31, 2, 32),
        (31, 2, 32),
        (30, 1, 32),
        (15, 1, 32),
        (15, 1, 32),
        (480,),
        (64,),
        (64,),
        (10,),
    )


def test_shapes_of_the_mel_cnn():
    network = architecture(MelCNNClassifier(), (646, 64), 3)
    after_blocks = [
        shape
        for layer, shape in zip(network.layers, network.shapes[1:], strict=True)
        if isinstance(layer, L.Activation | L.TimePooling)
    ]
    assert after_blocks == [(323, 32, 16), (162, 16, 32), (81, 8, 48), (41, 4, 64), (128,)]
    assert network.count_parameters() == 56_083
    assert network.count_parameters(trainable_only=True) == 55_507


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (L.Reshape((-1, 4, 1)), L.TimePooling(), True),
        (L.Reshape((8, 4, 1)), L.TimePooling(), False),
        (L.Reshape((4, -1, 1)), L.TimePooling(), True),
        (L.Reshape((-1, 4, 1)), L.Flatten(), False),
    ],
)
def test_networks_that_pool_over_time_take_any_number_of_frames(first, last, expected):
    network = L.Architecture((8, 4), (first, L.Conv2D(2), last, L.Dense(3)))
    assert network.takes_any_frames is expected


def test_a_network_whose_weights_depend_on_the_frames_does_not_take_any_number():
    layers = (L.Reshape((4, 1, -1)), L.Conv2D(2, kernel_size=(1, 1)), L.TimePooling())
    assert not L.Architecture((8, 4), layers).takes_any_frames


@pytest.mark.parametrize("input_shape", [(1, 1), (1, 2), (2, 1), (1, 40), (3, 3), (5, 2)])
@pytest.mark.parametrize("classifier", [*(c for c, _, _ in PUBLISHED), MelCNNClassifier()])
def test_networks_shrink_to_small_inputs(classifier, input_shape):
    assert architecture(classifier, input_shape).shapes[-1] == (10,)


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        (["dense"], TypeError, r"Layers must be of types \['Activation.*; got 'dense'"),
        ([L.Conv2D(3)], ValueError, r"Layer 0.* expects an input with 3 axes; got shape \(8, 4\)"),
        ([L.Flatten(), L.LSTM(3)], ValueError, r"Layer 1.* expects an input with 2 axes.* Reshape"),
        ([L.Reshape((3, 3))], ValueError, r"Cannot reshape shape \(8, 4\) into \(3, 3\)"),
        ([L.Reshape((-1, 3))], ValueError, r"Cannot reshape shape \(8, 4\) into \(-1, 3\)"),
        ([L.Reshape((-1, 0))], ValueError, r"Cannot reshape shape \(8, 4\) into \(-1, 0\)"),
        ([L.Reshape((8, 4, 1)), L.Conv2D(3, kernel_size=(2, 5))], ValueError, "must not exceed"),
    ],
)
def test_layers_that_do_not_fit(layers, error, message):
    with pytest.raises(error, match=message):
        L.Architecture((8, 4), tuple(layers))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L.Dense(3, "exp"), "'activation' parameter of Dense must be .* Got 'exp'"),
        (lambda: L.LSTM(-1), "'units' parameter of LSTM must be an int in"),
        (lambda: L.Conv2D(3, padding="full"), "'padding' parameter of Conv2D must be"),
        (lambda: L.Conv2D(3, kernel_size=(3,)), r"kernel_size=\(3,\) must be two positive"),
        (lambda: L.MaxPooling2D(strides=0), "'strides' parameter of MaxPooling2D must be"),
        (lambda: L.BatchNormalization(1.0), "'momentum' parameter of BatchNormalization must be"),
    ],
)
def test_bad_layers(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_architectures_are_keys():
    assert architecture(CNNClassifier()) == architecture(CNNClassifier())
    assert hash(architecture(CNNClassifier())) == hash(architecture(CNNClassifier()))
    assert architecture(CNNClassifier(dropout=0.2)) != architecture(CNNClassifier(dropout=0.3))
    assert architecture(ANNClassifier(l2=0.1)) != architecture(ANNClassifier(l2=0.2))
