"""Reference implementations for the benchmarks, as used in published notebooks and scripts."""

import librosa
import numpy as np


def features_with_librosa(y):
    """Compute the 57 columns of GTZAN's tables with separate calls of librosa."""
    sr = 22050
    librosa.feature.chroma_stft(y=y, sr=sr)
    librosa.feature.rms(y=y)
    librosa.feature.spectral_centroid(y=y, sr=sr)
    librosa.feature.spectral_bandwidth(y=y, sr=sr)
    librosa.feature.spectral_rolloff(y=y, sr=sr)
    librosa.feature.zero_crossing_rate(y)
    librosa.effects.hpss(y)
    librosa.beat.beat_track(y=y, sr=sr)
    librosa.feature.mfcc(y=y, sr=sr, n_mfcc=20)


def log_mel_with_librosa(path):
    """Compute 64 mel bands of a track in dB, and average pairs of frames."""
    y, sr = librosa.load(path, sr=22050)
    power = librosa.feature.melspectrogram(y=y, sr=sr, n_mels=64)
    n = power.shape[1] // 2
    return librosa.power_to_db(power[:, : 2 * n].reshape(64, n, 2).mean(axis=2)).T


def descriptors_with_librosa(path):
    """Compute the features underlying the descriptors with separate calls of librosa.

    Most of the statistics are omitted. Chroma is computed for a tuning of 440 Hz, so that librosa
    does not have to estimate the tuning.
    """
    y, sr = librosa.load(path, sr=22050)
    mfcc = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=20)
    np.percentile(mfcc, (5, 25, 50, 75, 95), axis=1)
    librosa.feature.chroma_stft(y=y, sr=sr, tuning=0.0)
    librosa.autocorrelate(librosa.onset.onset_strength(y=y, sr=sr))
    level = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr))
    bands = level.reshape(16, 8, -1).mean(axis=1)
    blocks = np.lib.stride_tricks.sliding_window_view(bands, 256, axis=1)[:, ::128]
    np.median(np.abs(np.fft.rfft(blocks * np.hanning(256))), axis=1)


def build_scikeras(layers, dropout):
    """Return a function of the dropout rate that builds a network, as scikeras requires."""
    import keras

    output = keras.layers.Dense(10, "softmax")
    return keras.Sequential([keras.Input((130, 13)), *layers(dropout), output])
