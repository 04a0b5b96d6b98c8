"""What a front end of one's own may return, and what is said of a wrong one."""

import numpy as np
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
