"""What a front end of one's own may return, and what is said of a wrong one."""

import runpy
from pathlib import Path

import numpy as np
import onnx
import pytest

from skgenre import FrontEnd

from .conftest import make_sound, write_sound


class Levels(FrontEnd):
    """Levels of quarters of a track; returns whatever it is told to."""

    returned = None

    @property
    def track_shape(self):
        return (4,)

    def extract_track(self, audio):
        if self.returned is not None:
            return self.returned
        return np.abs(audio.read()[: 4 * 5000].reshape(4, -1)).max(axis=1)


@pytest.fixture
def path(tmp_path):
    return write_sound(tmp_path / "a.wav", make_sound(1))


def test_a_table_has_names_and_goes_to_pandas(path):
    table = Levels().set_output(transform="pandas").fit_transform([path])
    assert table.columns.tolist() == ["levels1", "levels2", "levels3", "levels4"]


@pytest.mark.parametrize("returned", [np.zeros(3), np.zeros((4, 1)), 1.0])
def test_a_wrong_shape_names_class_and_track(path, returned, monkeypatch):
    monkeypatch.setattr(Levels, "returned", returned)
    message = r"Levels\.extract_track returned an array of shape .* for .*a\.wav; .*\(4,\)"
    with pytest.raises(ValueError, match=message):
        Levels(on_error="warn").transform([path])


def test_another_error_names_the_track(path, monkeypatch):
    monkeypatch.setattr(Levels, "extract_track", lambda self, audio: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        Levels(on_error="warn").transform([path])
    assert str(path) in caught.value.__notes__[0]


@pytest.mark.slow
def test_the_front_end_of_the_gallery_runs_an_onnx_file(tmp_path):
    """Of a graph that returns the mean and the maximum of each window."""
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            node("ReduceMean", ["x"], ["mean"], axes=[1]),
            node("ReduceMax", ["x"], ["max"], axes=[1]),
            node("Concat", ["mean", "max"], ["y"], axis=1),
        ],
        "statistics",
        [value("x", onnx.TensorProto.FLOAT, ["n", "samples"])],
        [value("y", onnx.TensorProto.FLOAT, ["n", 2])],
    )
    opset = onnx.helper.make_opsetid("", 17)
    file = str(tmp_path / "statistics.onnx")
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), file)
    example = Path(__file__).parent.parent / "examples/extend/plot_onnx_front_end.py"
    embedder = runpy.run_path(str(example))["ONNXEmbedder"]
    sound = make_sound(2.5, sample_rate=16000)
    path = write_sound(tmp_path / "a.wav", sound, 16000)
    [found] = embedder(file, window_duration=1.0).transform([path])
    windows = np.pad(sound, (0, 8000)).reshape(3, 16000)
    expected = np.stack([windows.mean(axis=1), windows.max(axis=1)], axis=1)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-4)
