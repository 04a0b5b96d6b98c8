"""Modifications of audio samples that occur in practice, such as MP3 coding or noise."""

from __future__ import annotations

import io
from numbers import Integral, Real
from typing import Any

import numpy as np
import soundfile
import soxr
from sklearn.utils import check_random_state

from .._checks import POSITIVE, check_number
from .._sklearn import Interval

#: All finite numbers.
_ANY = Interval(Real, None, None, closed="neither")

#: Orders of the filters (6 dB per octave each).
_LOW_PASS_ORDER, _HIGH_PASS_ORDER, _TELEPHONE_ORDER = 8, 4, 4

#: Pass band of a telephone in Hz.
_TELEPHONE_BAND = (300, 3400)

#: Number of taps of the equalizer.
_EQUALIZER_TAPS = 101

#: Lowest frequency of the noise in Hz. The power of pink noise diverges at low frequencies.
_NOISE_FROM = 20.0

#: Minimum sample rate in Hz, and maximum and minimum bit rate in kbit/s, of MPEG-1, 2 and 2.5.
_MP3_RATES = ((32000, 320, 32), (16000, 160, 8), (0, 64, 8))


def gain(y: np.ndarray, decibels: float) -> np.ndarray:
    """Change the level and clip the samples at full scale, as in 16-bit files.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples, with full scale at 1.
    decibels : float
        Gain in dB. Negative values decrease the level.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Samples between -1 and 1.
    """
    check_number("decibels", decibels, _ANY)
    return np.clip(y * 10 ** (decibels / 20), -1, 1).astype(y.dtype)


def low_pass(y: np.ndarray, sample_rate: int, cutoff: float = 4000.0) -> np.ndarray:
    """Apply a Butterworth low-pass filter of order 8.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    sample_rate : int
        Sample rate in Hz.
    cutoff : float, default=4000.0
        Cutoff frequency (-3 dB) in Hz, which must be lower than half the sample rate.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Filtered samples.
    """
    from scipy.signal import butter, sosfilt

    check_number("cutoff", cutoff, Interval(Real, 0, sample_rate / 2, closed="neither"))
    sections = butter(_LOW_PASS_ORDER, cutoff, fs=sample_rate, output="sos")
    return sosfilt(sections, y).astype(y.dtype)


def high_pass(y: np.ndarray, sample_rate: int, cutoff: float = 300.0) -> np.ndarray:
    """Apply a Butterworth high-pass filter of order 4.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    sample_rate : int
        Sample rate in Hz.
    cutoff : float, default=300.0
        Cutoff frequency (-3 dB) in Hz, which must be lower than half the sample rate.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Filtered samples.
    """
    from scipy.signal import butter, sosfilt

    check_number("cutoff", cutoff, Interval(Real, 0, sample_rate / 2, closed="neither"))
    sections = butter(_HIGH_PASS_ORDER, cutoff, "high", fs=sample_rate, output="sos")
    return sosfilt(sections, y).astype(y.dtype)


def telephone(y: np.ndarray, sample_rate: int, line_rate: int = 8000) -> np.ndarray:
    """Limit the samples to the band of a telephone, 300 to 3,400 Hz.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    sample_rate : int
        Sample rate in Hz.
    line_rate : int, default=8000
        Sample rate of the telephone in Hz, to which the samples are converted and back.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Samples. Their number may differ by one.
    """
    from scipy.signal import butter, sosfilt

    sections = butter(_TELEPHONE_ORDER, _TELEPHONE_BAND, "band", fs=sample_rate, output="sos")
    return through_rate(sosfilt(sections, y).astype(y.dtype), sample_rate, line_rate)


def through_rate(y: np.ndarray, sample_rate: int, other_rate: float) -> np.ndarray:
    """Convert the samples to another sample rate and back.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    sample_rate, other_rate : int
        Sample rates in Hz.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Samples. Their number may differ by one.
    """
    check_number("other_rate", other_rate, POSITIVE)
    return soxr.resample(soxr.resample(y, sample_rate, other_rate), other_rate, sample_rate)


def equalizer(y: np.ndarray, gains) -> np.ndarray:
    """Change the levels of frequencies.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    gains : array-like of shape (n_points,)
        Gains in dB at equally spaced frequencies, from zero to half the sample rate.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Filtered samples.
    """
    from scipy.signal import firwin2, oaconvolve

    gains = np.asarray(gains, dtype=float)
    taps = firwin2(_EQUALIZER_TAPS, np.linspace(0, 1, len(gains)), 10 ** (gains / 20))
    return oaconvolve(y, taps, "same")[: len(y)].astype(y.dtype)


def room(
    y: np.ndarray, sample_rate: int, seconds: float = 0.5, random_state: Any = None
) -> np.ndarray:
    """Add the reverberation of a room, as loud as the direct sound.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    sample_rate : int
        Sample rate in Hz.
    seconds : float, default=0.5
        Reverberation time, in which the level decreases by 60 dB.
    random_state : int, RandomState instance or None, default=None
        Controls the impulse response, which is decaying noise.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Samples with reverberation.
    """
    from scipy.signal import oaconvolve

    check_number("seconds", seconds, POSITIVE)
    n = max(1, round(seconds * sample_rate))
    response = check_random_state(random_state).standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    response /= np.sqrt(np.square(response).sum())
    response[0] += 1
    return oaconvolve(y, response)[: len(y)].astype(y.dtype)


def white_noise(y: np.ndarray, snr: float, random_state: Any = None) -> np.ndarray:
    """Add white noise, whose power density does not depend on the frequency.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    snr : float
        Signal-to-noise ratio in dB.
    random_state : int, RandomState instance or None, default=None
        Controls the noise.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Samples with noise. Silence is not changed.
    """
    check_number("snr", snr, _ANY)
    level = np.sqrt(np.mean(np.square(y, dtype=float))) * 10 ** (-snr / 20)
    noise = check_random_state(random_state).standard_normal(len(y))
    return (y + level * noise).astype(y.dtype)


def room_noise(y: np.ndarray, sample_rate: int, snr: float, random_state: Any = None) -> np.ndarray:
    """Add pink noise.

    The power density of pink noise decreases by 3 dB per octave, similar to noise in rooms.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    sample_rate : int
        Sample rate in Hz.
    snr : float
        Signal-to-noise ratio in dB.
    random_state : int, RandomState instance or None, default=None
        Controls the noise.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Samples with noise. Silence is not changed.
    """
    from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

    check_number("snr", snr, _ANY)
    n = next_fast_len(len(y), real=True)  # other lengths take up to 20 times as long
    spectrum = rfft(check_random_state(random_state).standard_normal(n))
    frequency = rfftfreq(n, 1 / sample_rate)
    spectrum *= (frequency >= _NOISE_FROM) / np.sqrt(np.maximum(frequency, _NOISE_FROM))
    noise = irfft(spectrum, n)[: len(y)]
    power = np.mean(np.square(noise))
    if power == 0:  # too short for frequencies of at least 20 Hz
        return y.copy()
    level = np.sqrt(np.mean(np.square(y, dtype=float)) / power) * 10 ** (-snr / 20)
    return (y + level * noise).astype(y.dtype)


def speed(y: np.ndarray, factor: float = 1.03) -> np.ndarray:
    """Change the playback speed, and thus both tempo and pitch, as with a turntable.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    factor : float, default=1.03
        Speed factor. The default increases the pitch by half a semitone.

    Returns
    -------
    y : ndarray of shape (n_samples / factor,)
        Resampled samples.
    """
    check_number("factor", factor, POSITIVE)
    return soxr.resample(y, factor, 1.0, quality="HQ")


def shift(y: np.ndarray, n_samples: int) -> np.ndarray:
    """Shift the samples circularly, so that no music is lost.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    n_samples : int
        Number of samples that are moved from the beginning to the end.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Shifted samples.
    """
    check_number("n_samples", n_samples, Interval(Integral, None, None, closed="neither"))
    return np.roll(y, -n_samples)


def mp3(y: np.ndarray, sample_rate: int, bitrate: int = 64) -> np.ndarray:
    """Encode the samples as mono MP3 with constant bit rate, and decode them.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples, which are clipped at full scale.
    sample_rate : int
        Sample rate in Hz. MP3 supports 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100 and
        48000 Hz.
    bitrate : int, default=64
        Bit rate in kbit/s. The encoder uses the nearest available one.

    Returns
    -------
    y : ndarray of shape (n_samples_decoded,)
        Decoded samples. Their number may differ slightly from that of the input.

    Raises
    ------
    ValueError
        If the bit rate is not available at this sample rate.
    """
    file = io.BytesIO()
    most, least = next(limits for rate, *limits in _MP3_RATES if sample_rate >= rate)
    if not least <= bitrate <= most:
        raise ValueError(
            f"bitrate must be from {least} to {most} kbit/s at {sample_rate} Hz; got {bitrate!r}."
        )
    # libsndfile expects the position between the highest and the lowest bit rate.
    place = (most - bitrate) / (most - least)
    with soundfile.SoundFile(
        file,
        "w",
        sample_rate,
        1,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=place,
    ) as encoder:
        encoder.write(np.clip(y, -1, 1))
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return decoded


def wav(y: np.ndarray, sample_rate: int, name: str = "") -> io.BytesIO:
    """Write samples as 32-bit floats to a WAV file in memory.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    sample_rate : int
        Sample rate in Hz.
    name : str, default=""
        Name of the file in error messages.

    Returns
    -------
    file : BytesIO
        File object, which can be passed to front ends.
    """
    file = io.BytesIO()
    soundfile.write(file, y, sample_rate, format="WAV", subtype="FLOAT")
    file.seek(0)
    if name:
        file.name = name
    return file
