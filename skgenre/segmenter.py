"""`MFCCSegmenter`: paths of audio files -> track tensor."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .audio import AudioError, AudioFile
from .extraction import TrackExtractor, check_paths
from .mfcc import n_segment_frames, segment_mfcc, segment_starts


class MFCCSegmenter(TrackExtractor, auto_wrap_output_keys=None):
    """Turn audio files into segments of mel-frequency cepstral coefficients.

    Each track is cut into segments of equal length, and MFCCs are computed of each segment
    on its own. The defaults are those of the published GTZAN system: ten 3-second segments
    of a 30-second track, 130 frames of 13 coefficients each.

    Parameters
    ----------
    sample_rate : int, default=22050
        Rate in Hz to which all audio is resampled.
    n_mfcc : int, default=13
        Coefficients a frame.
    n_fft : int, default=2048
        Length of a frame in samples.
    hop_length : int, default=512
        Samples from one frame to the next.
    n_mels : int, default=128
        Number of mel bands.
    segment_duration : float, default=3.0
        Length of a segment in seconds. A segment counts if it yields all of its frames.
    n_segments : int or None, default=10
        The most segments to take of a track; shorter tracks have missing (all-NaN) ones.
        None takes all whole segments and pads to the longest track of the call.
    placement : {"start", "spread"}, default="start"
        Take segments one after the other from the start, or spaced evenly over the whole
        track, so that a four-minute song is not its intro.
    on_error : {"raise", "warn"}, default="raise"
        What becomes of tracks that cannot be read or have no whole segment. ``"raise"``
        tries all tracks, then raises one error that lists them; ``"warn"`` gives them rows
        of NaN and warns once, naming them.
    memory : str, path-like or joblib.Memory, default=None
        Where to keep what was computed, one entry per file: a file is computed anew if it, a
        parameter or the version of a library has changed. Folds, candidates of a search and
        processes share it. File objects are not kept.
    n_jobs : int, default=None
        Threads to use, or workers of the backend chosen with
        :func:`joblib.parallel_config`. The result does not depend on it.
    verbose : int, default=0
        Show a progress bar if not 0.

    Notes
    -----
    Stateless: `transform` works without `fit`. The coefficients equal
    ``librosa.feature.mfcc`` of librosa 0.11 on each segment to 1e-3.

    See Also
    --------
    SegmentScaler : Scale the coefficients before a network.
    SegmentSummary : Summarise a track in one row for a classical model.

    Examples
    --------
    >>> from skgenre import MFCCSegmenter
    >>> from skgenre.datasets import make_tracks
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=2, duration=7, random_state=0, folder=folder)
    ...     MFCCSegmenter(n_segments=3).transform(tracks.data).shape
    (2, 3, 130, 13)
    """

    _parameter_constraints: dict = {
        **TrackExtractor._parameter_constraints,
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "segment_duration": [Interval(Real, 0, None, closed="neither")],
        "n_segments": [Interval(Integral, 1, None, closed="left"), None],
        "placement": [StrOptions({"start", "spread"})],
    }

    def __init__(
        self,
        *,
        sample_rate=22050,
        n_mfcc=13,
        n_fft=2048,
        hop_length=512,
        n_mels=128,
        segment_duration=3.0,
        n_segments=10,
        placement="start",
        on_error="raise",
        memory=None,
        n_jobs=None,
        verbose=0,
    ):
        self.sample_rate = sample_rate
        self.n_mfcc = n_mfcc
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.segment_duration = segment_duration
        self.n_segments = n_segments
        self.placement = placement
        self.on_error = on_error
        self.memory = memory
        self.n_jobs = n_jobs
        self.verbose = verbose

    def transform(self, X):
        """Read the tracks and compute their MFCC segments.

        Parameters
        ----------
        X : list, array or Series of paths, or a DataFrame of one column
            ``str``, ``pathlib.Path``, or binary file objects.

        Returns
        -------
        tensor : float32 ndarray of shape (n_tracks, n_segments, n_frames, n_mfcc)
            Segments that do not exist are all NaN.

        Raises
        ------
        UnreadableTracksError
            If ``on_error="raise"`` and tracks cannot be read or have no whole segment.
        """
        self._check_parameters()
        paths = check_paths(X)
        tracks = self._extract_all(paths)
        n_segments = self.n_segments
        if n_segments is None:
            tracks = list(tracks)
            n_segments = max([1, *(len(track) for track in tracks if track is not None)])
        n_frames = n_segment_frames(self._segment_length, self.hop_length)
        out = np.full((len(paths), n_segments, n_frames, self.n_mfcc), np.nan, np.float32)
        for row, track in zip(out, tracks, strict=True):
            if track is not None:
                row[: len(track)] = track
        return out

    def _extract(self, path) -> tuple[np.ndarray, bool]:
        with AudioFile(path, self.sample_rate) as audio:
            segments = self._read_segments(audio)
            if not segments:
                duration = len(audio.read()) / self.sample_rate
                raise AudioError(
                    audio.name,
                    f"{duration:.2f} s of audio is too short for one segment of "
                    f"{self.segment_duration:g} s",
                )
        coefficients = segment_mfcc(
            segments,
            sample_rate=self.sample_rate,
            n_mfcc=self.n_mfcc,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            n_mels=self.n_mels,
        )
        return coefficients, audio.ended_early

    def _read_segments(self, audio: AudioFile) -> list[np.ndarray]:
        length = self._segment_length
        if self.placement == "start":
            y = audio.read(0, None if self.n_segments is None else self.n_segments * length)
            return [y[start : start + length] for start in self._starts(len(y))]
        starts = self._starts(audio.n_samples)
        segments = [audio.read(start, start + length) for start in starts]
        if not audio.ended_early:
            return segments
        # The header promised more than there is: place them in what there is.
        y = audio.read()
        return [y[start : start + length] for start in self._starts(len(y))]

    def _starts(self, n_samples: int) -> list[int]:
        return segment_starts(
            n_samples,
            segment_length=self._segment_length,
            hop_length=self.hop_length,
            n_segments=self.n_segments,
            placement=self.placement,
        ).tolist()

    @property
    def _segment_length(self) -> int:
        return round(self.segment_duration * self.sample_rate)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc={self.n_mfcc} is more than n_mels={self.n_mels}; there are as many "
                "coefficients as mel bands at the most"
            )
        if self._segment_length < 1:
            raise ValueError(
                f"segment_duration={self.segment_duration} s is less than a sample at "
                f"sample_rate={self.sample_rate} Hz"
            )

    def set_output(self, *, transform=None):
        """Accept scikit-learn's output setting; tensors have no table form, so no effect.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Ignored.

        Returns
        -------
        self
        """
        return self
