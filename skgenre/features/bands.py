"""Base class of front ends that use mel bands."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from .._sklearn import Interval
from .filters import check_band_limits
from .front_end import FrontEnd
from .report import Report
from .spectra import warn_of_silent_bands


class MelExtractor(FrontEnd):
    """Base class of front ends that use mel bands.

    It defines and validates the parameters of the mel spectrogram, which are those of
    ``librosa.feature.melspectrogram``.

    Parameters
    ----------
    sample_rate : int
        Sample rate in Hz to which all audio is resampled.
    n_fft : int
        Length of a frame in samples.
    hop_length : int
        Number of samples between successive frames.
    n_mels : int
        Number of mel bands.
    fmin : float
        Lowest frequency of the mel bands in Hz.
    fmax : float or None
        Highest frequency of the mel bands in Hz. If None, half of `sample_rate`.
    on_error, memory, n_jobs, verbose
        See :class:`FrontEnd`.
    """

    _parameter_constraints: ClassVar[dict] = {
        **FrontEnd._parameter_constraints,
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        *,
        sample_rate: int,
        n_fft: int,
        hop_length: int,
        n_mels: int,
        fmin: float,
        fmax: float | None,
        on_error: str,
        memory: Any,
        n_jobs: int | None,
        verbose: int,
    ):
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        super().__init__(on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose)

    @property
    def _bands(self) -> dict[str, Any]:
        names = ("sample_rate", "n_fft", "n_mels", "fmin", "fmax")
        return {name: getattr(self, name) for name in names}

    def _extract_all(self, paths: list, report: Report) -> Iterator[np.ndarray | None]:
        warn_of_silent_bands(**self._bands)  # once per call instead of once per track
        return super()._extract_all(paths, report)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_band_limits(self.sample_rate, self.fmin, self.fmax)
