"""Compare the run times of MFCCs: ``python benchmarks/comparison.py TRACK``.

Only packages that are installed are compared with skgenre. All run alternately on one thread. The
times are medians after a warm-up.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import time

import numpy as np

from skgenre import load_audio
from skgenre.features import mfcc

N_REPEATS = 15


def skgenre_(y):
    return mfcc(y, sample_rate=22050)


def librosa_(y):
    import librosa

    return librosa.feature.mfcc(y=y, sr=22050, n_mfcc=13).T


def essentia_(y):
    import essentia.standard as es

    window = es.Windowing(type="hann", zeroPhase=False)
    spectrum = es.Spectrum(size=2048)
    coefficients = es.MFCC(
        inputSize=1025,
        sampleRate=22050,
        numberBands=128,
        numberCoefficients=13,
        highFrequencyBound=11025,
    )
    frames = es.FrameGenerator(y, frameSize=2048, hopSize=512)
    return np.stack([coefficients(spectrum(window(frame)))[1] for frame in frames])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("track")
    y = load_audio(parser.parse_args().track, duration=30)
    functions = {"skgenre": skgenre_, "librosa": librosa_, "essentia": essentia_}
    for name in list(functions):
        try:
            print(name, functions[name](y).shape)
        except ImportError:
            print(name, "is not installed")
            del functions[name]
    times = {name: [] for name in functions}
    for _ in range(N_REPEATS):
        for name, function in functions.items():
            start = time.perf_counter()
            function(y)
            times[name].append(time.perf_counter() - start)
    for name, values in times.items():
        ratio = np.median(values) / np.median(times["skgenre"])
        print(f"{name}: {1000 * np.median(values):.1f} ms, {ratio:.2f} times skgenre's")


if __name__ == "__main__":
    main()
