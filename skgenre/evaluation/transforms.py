"""What becomes of music on its way to a listener: changes of samples."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import soundfile
import soxr
from sklearn.utils import check_random_state

#: Order of the low-pass filter: 48 dB an octave.
_LOW_PASS_ORDER = 8

#: Lowest frequency of the noise, in Hz; pink noise has no end of power below.
_NOISE_FROM = 20.0

#: Lowest sample rates, and highest and lowest kbit/s, of the three kinds of MP3.
_MP3_RATES = ((32000, 320, 32), (16000, 160, 8), (0, 64, 8))


def gain(y: np.ndarray, decibels: float) -> np.ndarray:
    """Change the level, and clip what is beyond full scale, as a file of 16 bits does.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples, with full scale at 1.
    decibels : float
        Negative values make it quieter.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Between -1 and 1.
    """
    return np.clip(y * 10 ** (decibels / 20), -1, 1).astype(y.dtype)


def low_pass(y: np.ndarray, sample_rate: int, cutoff: float = 4000.0) -> np.ndarray:
    """Take out high frequencies, as a phone does, with a Butterworth filter of order 8.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    sample_rate : int
        In Hz.
    cutoff : float, default=4000.0
        Frequency at which the level has fallen by 3 dB, in Hz; below half the sample rate.

    Returns
    -------
    y : ndarray of shape (n_samples,)
    """
    from scipy.signal import butter, sosfilt

    sections = butter(_LOW_PASS_ORDER, cutoff, fs=sample_rate, output="sos")
    return sosfilt(sections, y).astype(y.dtype)


def room_noise(y: np.ndarray, sample_rate: int, snr: float, random_state: Any = None) -> np.ndarray:
    """Add pink noise, whose power falls by 3 dB an octave, as that of rooms about does.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    sample_rate : int
        In Hz.
    snr : float
        Mean power of the samples over that of the noise, in dB.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Silence stays as it is.
    """
    rng = check_random_state(random_state)
    n = len(y)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / sample_rate)
    spectrum *= (frequency >= _NOISE_FROM) / np.sqrt(np.maximum(frequency, _NOISE_FROM))
    noise = np.fft.irfft(spectrum, n)
    power = np.mean(np.square(noise))
    if power == 0:  # too short for any frequency from 20 Hz
        return y.copy()
    level = np.sqrt(np.mean(np.square(y, dtype=float)) / power) * 10 ** (-snr / 20)
    return (y + level * noise).astype(y.dtype)


def speed(y: np.ndarray, factor: float = 1.03) -> np.ndarray:
    """Play faster, so that tempo and pitch rise alike, as from a turntable.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    factor : float, default=1.03
        1.03 is 3 % faster, half a semitone.

    Returns
    -------
    y : ndarray of shape (n_samples / factor,)
    """
    return soxr.resample(y, factor, 1.0, quality="HQ")


def shift(y: np.ndarray, n_samples: int) -> np.ndarray:
    """Begin later, and put what comes before to the end, so that no music is lost.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    n_samples : int
        Where to begin.

    Returns
    -------
    y : ndarray of shape (n_samples,)
    """
    return np.roll(y, -n_samples)


def mp3(y: np.ndarray, sample_rate: int, bitrate: int = 64) -> np.ndarray:
    """Encode as MP3 of a constant bit rate, and decode it, with libsndfile.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples; beyond 1 they are clipped.
    sample_rate : int
        In Hz; one of those of MP3: 8, 11.025, 12, 16, 22.05, 24, 32, 44.1 or 48 kHz.
    bitrate : int, default=64
        In kbit/s, of one channel. The encoder takes the nearest that it has.

    Returns
    -------
    y : ndarray of shape (n_samples_decoded,)
        About as long.

    Raises
    ------
    ValueError
        If that sample rate has no such bit rate.
    """
    file = io.BytesIO()
    most, least = next(limits for rate, *limits in _MP3_RATES if sample_rate >= rate)
    if not least <= bitrate <= most:
        raise ValueError(
            f"bitrate={bitrate!r} must be from {least} to {most} kbit/s at {sample_rate} Hz"
        )
    # libsndfile takes the place of the bit rate between the highest and the lowest.
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
    """Make a file in memory, of 32-bit floats, that front ends read.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Samples.
    sample_rate : int
        In Hz.
    name : str, default=""
        What errors call it.

    Returns
    -------
    file : BytesIO
    """
    file = io.BytesIO()
    soundfile.write(file, y, sample_rate, format="WAV", subtype="FLOAT")
    file.seek(0)
    if name:
        file.name = name
    return file
