"""What skgenre is measured against: the calls that notebooks and scripts make."""

import librosa


def features_with_librosa(y):
    """The 57 columns of GTZAN's tables by plain calls, one after the other."""
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


def build_scikeras(layers, dropout):
    """Build a network as scikeras asks for it, from a function of the dropout."""
    import keras

    output = keras.layers.Dense(10, "softmax")
    return keras.Sequential([keras.Input((130, 13)), *layers(dropout), output])
