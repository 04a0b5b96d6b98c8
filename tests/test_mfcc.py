import re

import librosa
import numpy as np
import pytest

from skgenre.features import mfcc, segment_mfcc
from skgenre.features.segments import n_segment_frames, segment_starts
from skgenre.features.spectra import mel_filters

from .conftest import make_sound


def librosa_mfcc(y, sample_rate=22050, **kwargs):
    """MFCCs as librosa 0.11 gives them, whichever is installed: one segment a call."""
    return librosa.feature.mfcc(y=y, sr=sample_rate, **kwargs).T


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"n_mfcc": 40, "n_fft": 1024, "hop_length": 256, "n_mels": 64},
        {"sample_rate": 16000, "n_fft": 400, "hop_length": 160, "n_mels": 40},
        {"n_fft": 2047, "hop_length": 511},
        {"n_fft": 1024, "hop_length": 3000},
        {"n_mels": 64, "fmin": 30, "fmax": 8000.0},
        {"n_mels": 32, "fmin": 1500.0},
    ],
)
@pytest.mark.parametrize("n_samples", [66150, 66048, 30000, 5000])
def test_equals_librosa(kwargs, n_samples):
    kwargs = {"n_mfcc": 13, **kwargs}
    y = make_sound(3, kwargs.get("sample_rate", 22050))[:n_samples].astype(np.float32)
    np.testing.assert_allclose(mfcc(y, **kwargs), librosa_mfcc(y, **kwargs), atol=1e-3)


def test_quiet_parts_are_cut_off_80_db_below_the_maximum():
    y = make_sound(3).astype(np.float32)
    y[30000:] *= 1e-6
    np.testing.assert_allclose(mfcc(y), librosa_mfcc(y, n_mfcc=13), atol=1e-3)


def test_silence_is_constant_and_finite():
    y = np.zeros(66150, np.float32)
    coefficients = mfcc(y)
    np.testing.assert_allclose(coefficients, librosa_mfcc(y, n_mfcc=13), atol=1e-3)
    assert np.ptp(coefficients, axis=0).max() == 0
    assert np.abs(coefficients[:, 1:]).max() < 1e-9


@pytest.mark.parametrize("sample_rate", [1500, 2000, 8000, 22050, 44100])
@pytest.mark.parametrize(("n_fft", "n_mels"), [(2048, 128), (255, 20), (4096, 1)])
def test_mel_filters_are_librosas(sample_rate, n_fft, n_mels):
    expected = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels)
    filters = mel_filters(sample_rate, n_fft, n_mels)
    assert filters.dtype == np.float32
    np.testing.assert_allclose(filters, expected, atol=1e-6 * expected.max())


@pytest.mark.parametrize(("fmin", "fmax"), [(0, 500), (40.0, 1000), (1000.0, 4000.0), (900, None)])
def test_mel_filters_between_limits_are_librosas(fmin, fmax):
    expected = librosa.filters.mel(sr=22050, n_fft=4096, n_mels=12, fmin=fmin, fmax=fmax)
    filters = mel_filters(22050, 4096, 12, fmin, fmax)
    np.testing.assert_allclose(filters, expected, atol=1e-6 * expected.max())


@pytest.mark.parametrize(
    ("fmin", "fmax"),
    [(-1, None), (500, 500), (0, 11026), (11025, None), (np.nan, None), (0, np.nan), ("low", None)],
)
def test_bad_limits_of_bands(fmin, fmax):
    message = re.escape(
        f"<= 11025 Hz, half of sample_rate=22050; got fmin={fmin!r} and fmax={fmax!r}"
    )
    with pytest.raises(ValueError, match=message):
        mfcc(make_sound(0.5), fmin=fmin, fmax=fmax)


def test_bands_without_a_bin_are_named_and_silent():
    y = make_sound(1)
    with pytest.warns(UserWarning, match=r"\d+ of n_mels=128 bands .* n_fft=256 samples .* fewer"):
        coefficients = mfcc(y, n_fft=256, n_mfcc=128)
    with pytest.warns(UserWarning, match="Empty filters"):
        expected = librosa_mfcc(y, n_fft=256, n_mfcc=128)
    np.testing.assert_allclose(coefficients, expected, atol=1e-3)


def test_segments_are_computed_each_on_its_own():
    loud, quiet = make_sound(1), make_sound(1) * 1e-5
    both = segment_mfcc([loud, quiet, loud[:-30]])
    # To the bit: nothing of one segment is left in the buffers for the next.
    np.testing.assert_array_equal(both[0], mfcc(loud))
    np.testing.assert_array_equal(both[1], mfcc(quiet))
    np.testing.assert_array_equal(both[2], mfcc(loud[:-30]))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((2, 100)), r"shape \(2, 100\)"),
        (np.zeros(0), "not empty"),
        ([0.0, np.nan], "NaN or infinite"),
    ],
)
def test_bad_samples(y, message):
    with pytest.raises(ValueError, match=message):
        mfcc(y)


@pytest.mark.parametrize("name", ["sample_rate", "n_mfcc", "n_fft", "hop_length", "n_mels"])
@pytest.mark.parametrize("value", [0, -1, 2.5, None])
def test_bad_sizes(name, value):
    message = re.escape(f"{name}={value!r} must be an int in the range [1, inf).")
    with pytest.raises(ValueError, match=message):
        mfcc(make_sound(0.5), **{name: value})


def test_more_coefficients_than_bands():
    with pytest.raises(ValueError, match="n_mfcc=20 must be at most n_mels=13"):
        mfcc(make_sound(0.5), n_mfcc=20, n_mels=13)
    assert mfcc(make_sound(0.5), n_mfcc=13, n_mels=13, n_fft=512).shape == (22, 13)


def test_segments_of_different_lengths():
    y = make_sound(1.0).astype(np.float32)
    with pytest.raises(ValueError, match=r"different numbers of frames: \[20, 40\]"):
        segment_mfcc([y[:20000], y[:10000]])
    # A few samples less make no frame less.
    assert segment_mfcc([y[:20000], y[:19990]]).shape == (2, 40, 13)
    assert segment_mfcc([]).shape == (0, 0, 13)


def test_input_is_not_modified():
    y = make_sound(1).astype(np.float32)
    before = y.copy()
    mfcc(y)
    np.testing.assert_array_equal(y, before)


def test_frames_of_the_published_segment():
    assert n_segment_frames(66150, 512) == 130


def starts(n_samples, **kwargs):
    kwargs = {"segment_length": 66150, "hop_length": 512, "n_segments": 10, **kwargs}
    return segment_starts(n_samples, **kwargs)


@pytest.mark.parametrize(
    ("n_samples", "n"),
    [
        (661_500, 10),
        (661_794, 10),
        (661_500 - 102, 10),  # the last segment still yields 130 frames
        (661_500 - 103, 9),
        (66_048, 1),
        (66_047, 0),
        (0, 0),
    ],
)
def test_a_segment_counts_if_it_yields_all_frames(n_samples, n):
    assert starts(n_samples) == [i * 66150 for i in range(n)]
    assert len(starts(n_samples, placement="spread")) == n
    for start in starts(n_samples, placement="spread"):
        segment = np.zeros(n_samples)[start : start + 66150]
        assert n_segment_frames(len(segment), 512) == 130


def test_all_segments():
    assert len(starts(66150 * 25 + 7, n_segments=None)) == 25


def test_spread_segments_are_in_the_middle_of_equal_parts():
    n_samples = 22050 * 240
    found = np.array(starts(n_samples, placement="spread")) + 66150 / 2
    np.testing.assert_allclose(found, (np.arange(10) + 0.5) * n_samples / 10, atol=1)
    assert starts(n_samples, placement="spread", n_segments=1) == [(n_samples - 66150) // 2]
    # Exactly as long as its segments: both placements are one.
    assert starts(661_500, placement="spread") == starts(661_500)
