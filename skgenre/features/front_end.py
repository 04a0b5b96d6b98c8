"""Base class of front ends, which convert audio files to arrays."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from joblib import Memory, Parallel, delayed
from joblib.parallel import get_active_backend
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if

from .._checks import check_labels, check_two_classes
from .._progress import follow
from .._sklearn import StrOptions, _fit_context
from ..audio import MIN_LEVEL, SAMPLES_REMEDY, AudioError, AudioFile, name_of
from ..audio.changes import Change, apply_change, list_changes, read_center
from ..audio.transforms import wav
from .augmented import with_copies
from .cache import cached
from .errors import NOTES, Report

logger = logging.getLogger("skgenre")

#: Collections of paths that cannot be used, with the reason and the remedy.
_NOT_LISTS: dict[Any, str] = {
    Mapping: "whose keys are not paths; pass list(X.values()), or X.data for a data set",
    (set, frozenset): "which has no order; pass sorted(X)",
    Iterator: "which can be iterated over only once; pass list(X)",
}


def check_paths(X) -> list:
    """Validate a one-dimensional collection, or a single column, of paths or file objects.

    Raises
    ------
    TypeError
        If `X` is a single path, unordered, an iterator, or contains an element that is not a path.
    ValueError
        If there are no tracks, or more than one column.
    """
    if isinstance(X, str | bytes | os.PathLike) or hasattr(X, "read"):
        raise TypeError(f"Expected a list of paths, got the single path {X!r}; pass [path].")
    kind = type(X).__name__
    for types, problem in _NOT_LISTS.items():
        if isinstance(X, types):
            raise TypeError(f"Expected a list of paths, got a {kind}, {problem}.")
    if hasattr(X, "__array__"):  # NumPy arrays, and columns of pandas, polars and pyarrow
        X = np.asarray(X, dtype=object)
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim != 1:
            raise ValueError(
                "Expected a one-dimensional collection of paths, or one column, got shape "
                f"{X.shape}. If X contains features, remove the front end from the pipeline; "
                f"{SAMPLES_REMEDY}."
            )
    try:
        X = list(X)
    except TypeError as error:
        raise TypeError(f"Expected a list of paths, got an object of type {kind}.") from error
    if not X:
        raise ValueError("Found no tracks: the list of paths is empty.")
    for i, path in enumerate(X):
        if not (isinstance(path, str | os.PathLike) or hasattr(path, "read")):
            raise TypeError(
                f"Track {i} is {path!r:.100}, of type {type(path).__name__}; expected a path (str "
                f"or pathlib.Path) or a binary file object; {SAMPLES_REMEDY}."
            )
    return X


def numbered(name: str, n: int) -> np.ndarray:
    """Return feature names that are counted from 1, as in the tables of GTZAN."""
    return np.array([f"{name}{i}" for i in range(1, n + 1)], dtype=object)


class FrontEnd(TransformerMixin, BaseEstimator, ABC):
    """Base class of front ends, which transform audio files to one array per track.

    Subclasses define the shape of the array of a track in :attr:`track_shape` and compute it in
    :meth:`extract_track`. Parallel reading, caching, error handling and the progress bar are
    inherited. A subclass with additional parameters defines ``__init__``, which stores them and
    passes on the parameters below.

    Read more in the :ref:`User Guide <custom_front_ends>`.

    Parameters
    ----------
    on_error : {"raise", "warn"}, default="raise"
        How to handle tracks that cannot be used, or in which no signal was read. ``"raise"``
        processes all tracks, then raises a single :class:`UnreadableTracksError` that lists the
        failures. ``"warn"`` sets their rows to NaN and issues a single warning.
    memory : str, path-like or joblib.Memory, default=None
        Used to cache the features, one entry per file content. By default, nothing is cached. A
        path is the location of the cache. File objects are not cached. Features that cannot be
        read from or written to the cache are computed, with a single warning.
    n_jobs : int, default=None
        Number of threads, or of workers of the backend selected with
        :func:`joblib.parallel_config`. None means 1 unless in such a context. The result does not
        depend on it.
    verbose : int, default=0
        If nonzero, show a progress bar.
    augment : None, change, or sequence of changes, default=None
        Changed copies of each track, whose segments `fit_transform` adds to those of the track;
        see Notes. Only for track tensors.

    Attributes
    ----------
    sample_rate : int
        Sample rate in Hz of the audio passed to :meth:`extract_track`. It is a parameter or a
        class attribute of the subclass.
    track_shape : tuple of int or None
        Shape of the array of a track. Three axes, ``(n_segments, n_frames, n_coefficients)``,
        define a track tensor: tracks with fewer segments are padded with NaN, and if
        ``n_segments`` is None, to the number of segments of the longest track. One axis defines a
        table.
    dtype : numpy dtype
        Data type of the result, float32 by default.

    Notes
    -----
    Front ends are stateless: `transform` does not require `fit`.

    A track contains no signal if the level of what is read is at most -90 dB, or if its array is
    all NaN. The level is the RMS of the loudest 50 ms without their mean, where full scale is 1.
    Segments without a signal are missing: they are NaN.

    With `augment`, each track is joined by changed copies in training, one for each change. A
    change is one of the following:

    - ``"robust"``: two copies, or ``("robust", n_copies)``, each through another random chain of
      speed, equalizer, low-pass and high-pass filters, pink noise and gain with clipping;
    - the name of a condition of :func:`skgenre.evaluation.robustness_report` that changes samples,
      such as ``"low-pass at 4 kHz"``;
    - a kind and its strength, or a range from which it is drawn: ``("speed", 0.95, 1.05)``,
      ``("gain", -12, 9)`` in dB, ``("low-pass", 2500, 9000)`` and ``("high-pass", 100, 500)`` in
      Hz, ``("equalizer", 9)`` in dB, ``("noise", 8, 30)`` (pink) and ``("white noise", 10, 30)`` as
      signal-to-noise ratios in dB, ``("MP3", 32)`` in kbit/s, ``("room", 0.2, 0.8)`` in seconds,
      ``("telephone", 8000)`` and ``("sample rate", 16000)`` in Hz;
    - a function ``f(samples, sample_rate, rng)``, which returns the changed samples (mono,
      float32). Use the RandomState `rng` for random numbers.

    Random numbers depend only on the samples of the track and the position of the copy, so the
    result does not depend on order, `n_jobs` or the cache, which has an entry for each copy. Copies
    are of the central two minutes of longer tracks. A copy without a signal is missing.

    `fit_transform` returns an array that knows which of its segments are of copies. The classifiers
    of skgenre use all segments in `fit`, and only those of the recordings to predict, also for
    calibration and early stopping. Indexing by track, as in cross-validation, and
    :class:`SegmentScaler` preserve this; ``np.concatenate`` and changes of the other axes return
    ordinary arrays, in which copies count as recordings.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import FrontEnd
    >>> class PeakLevel(FrontEnd):
    ...     sample_rate = 22050
    ...
    ...     @property
    ...     def track_shape(self):
    ...         return (1,)
    ...
    ...     def extract_track(self, audio):
    ...         return np.abs(audio.read()).max(keepdims=True)
    >>> import tempfile
    >>> from skgenre.datasets import make_tracks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=2, duration=1, random_state=0, folder=folder)
    ...     PeakLevel(n_jobs=2).transform(tracks.data).shape
    (2, 1)
    """

    sample_rate: int = 22050
    dtype: ClassVar[Any] = np.float32

    _parameter_constraints: ClassVar[dict] = {
        "on_error": [StrOptions({"raise", "warn"})],
        "memory": [str, os.PathLike, Memory, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "augment": [str, tuple, list, callable, None],
    }

    #: Set here for subclasses that do not pass it on.
    augment: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:  # the arguments of scikit-learn's mixin
        super().__init_subclass__(**kwargs)

    def __init__(
        self,
        *,
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        augment: Any = None,
    ):
        self.on_error = on_error
        self.memory = memory
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.augment = augment

    @property
    @abstractmethod
    def track_shape(self) -> tuple[int | None, ...]:
        """Shape of the array of a track, in which a leading None means any length."""

    @abstractmethod
    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the array of one track.

        Parameters
        ----------
        audio : AudioFile
            The open file; ``audio.read(start, stop)`` returns mono float32 samples at
            :attr:`sample_rate`.

        Returns
        -------
        track : ndarray of shape :attr:`track_shape`
            The first of three axes may be shorter. If all of it is NaN, the track cannot be used.

        Raises
        ------
        AudioError
            If the track cannot be used: ``AudioError(audio.name, reason)``.
        """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None) -> Self:
        """Validate the parameters and the list of paths. No audio is read.

        Parameters
        ----------
        X : list, array or Series of paths, or DataFrame with one column
            Paths of the tracks.
        y : array-like of shape (n_tracks,), default=None
            Labels, which are only validated.

        Returns
        -------
        self : object
            The unchanged transformer.

        Raises
        ------
        ValueError
            If labels are missing (None or NaN) or cannot be compared with each other, or if their
            number differs from that of the paths.
        """
        self._check_parameters()
        paths = check_paths(X)
        if y is not None:
            check_labels(y, len(paths))
        return self

    def fit_transform(self, X, y=None, **fit_params) -> Any:
        r"""Validate the labels, then extract the features of each track.

        In a pipeline, labels that the classifier would refuse are thus refused before any audio is
        read.

        Parameters
        ----------
        X : list, array or Series of paths, or DataFrame with one column
            Paths of the tracks.
        y : array-like of shape (n_tracks,), default=None
            Labels.
        **fit_params : dict
            Additional fit parameters.

        Returns
        -------
        X : ndarray of shape (n_tracks, \*track_shape)
            Features; see :meth:`transform`. With `augment`, the segments of the changed copies of
            a track follow those of the track.

        Raises
        ------
        ValueError
            If labels are invalid, see :meth:`fit`, if there is only one class, or if `augment` is
            invalid.
        UnreadableTracksError
            If ``on_error="raise"`` and some tracks cannot be used.
        """
        self._check_parameters()
        paths = check_paths(X)
        if y is not None:
            y = check_labels(y, len(paths))
            if y.dtype.kind in "UO":  # equal numbers may be the target of a regression
                check_two_classes("y", np.unique(y))
        own = super().fit_transform(X, y, **fit_params)
        changes = list_changes(self.augment)
        if not changes:
            return own
        parts = [own]
        for number, change in enumerate(changes):
            # What is wrong with a track or the cache was reported above.
            extract = partial(self._extract_copy, change, number)
            tracks = self._extract_all(paths, Report(len(paths)), extract, (change, number))
            parts.append(self._stack(tracks, len(paths)))
        X = np.concatenate(parts, axis=1)
        X[np.isnan(own).all(axis=(1, 2, 3))] = np.nan  # no copies of tracks that cannot be used
        return with_copies(X, own.shape[1])

    def transform(self, X) -> Any:
        r"""Extract the features of each track.

        Parameters
        ----------
        X : list, array or Series of paths, or DataFrame with one column
            Paths (``str`` or ``pathlib.Path``) or binary file objects. NumPy, pandas, polars and
            pyarrow containers are supported.

        Returns
        -------
        X : ndarray of shape (n_tracks, \*track_shape)
            Features. Missing segments, segments without a signal and tracks that cannot be used
            are NaN.

        Raises
        ------
        UnreadableTracksError
            If ``on_error="raise"`` and some tracks cannot be used.

        Warns
        -----
        UserWarning
            If tracks cannot be used and ``on_error="warn"``, files are shorter than their headers
            state, the channels of files cancel in their mean, or the cache cannot be used.
        """
        self._check_parameters()
        paths = check_paths(X)
        report = Report(len(paths))
        out = self._stack(self._extract_all(paths, report), len(paths))
        report.conclude(self.on_error)
        return out

    def _stack(self, tracks: Any, n_tracks: int) -> np.ndarray:
        """Join the arrays of tracks, of which None is missing, and pad them with NaN."""
        shape: Any = self.track_shape
        if shape[0] is None:
            tracks = list(tracks)
            longest = max([1, *(len(track) for track in tracks if track is not None)])
            shape = (longest, *shape[1:])
        out = np.full((n_tracks, *shape), np.nan, self.dtype)
        for row, track in zip(out, tracks, strict=True):
            if track is not None:
                row[: len(track)] = track
        return out

    @available_if(lambda self: len(self.track_shape) == 1)
    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Get output feature names: the lowercased class name and a number, from 1.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            Names of the columns.
        """
        return numbered(type(self).__name__.lower(), self.track_shape[0] or 0)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Set the output container for tables. Tensors are always arrays.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Configure the output of `transform`, as in scikit-learn. It has no effect on tensors.

        Returns
        -------
        self : object
            Estimator instance.
        """
        return super().set_output(transform=transform) if len(self.track_shape) == 1 else self

    def _extract_all(
        self, paths: list, report: Report, extract: Callable | None = None, key: Any = None
    ) -> Iterator[np.ndarray | None]:
        """Yield the array of each track in order; None for tracks added to `report.failures`.

        `extract` is another function than that for the track itself, and `key` is what identifies
        it in the cache.
        """
        extract = extract or self._extract
        if self.memory is not None:
            parameters = self._own_parameters() | ({} if key is None else {"copy": key})
            extract = cached(extract, self.memory, type(self), parameters)
        start = time.perf_counter()
        # Yield results as they are completed, if the backend supports it; Ray and Spark do not.
        backend, _ = get_active_backend(prefer="threads")
        one_by_one = getattr(backend, "supports_return_generator", False)
        how = "generator" if one_by_one else "list"
        results = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as=how)(
            delayed(_attempt)(extract, path) for path in paths
        )
        results = follow(results, len(paths), type(self).__name__, self.verbose)
        for i, (path, result) in enumerate(zip(paths, results, strict=True)):
            name = name_of(path, i)
            if isinstance(result, AudioError):
                if result.path == name_of(path):
                    result = AudioError(name, result.reason)
                report.failures.append(result)
                yield None
                continue
            track, notes, *problems = result
            report.problems += problems
            for note in notes:
                report.notes[note].append(name)
            yield track
        logger.debug(
            "%s: %d tracks in %.2f s, %d of them unusable",
            type(self).__name__,
            len(paths),
            time.perf_counter() - start,
            len(report.failures),
        )

    def _own_parameters(self) -> dict[str, Any]:
        """Return the parameters that affect the result."""
        others = {"on_error", "memory", "n_jobs", "verbose", "augment"}
        return {k: v for k, v in self.get_params().items() if k not in others}

    def _extract(self, path) -> tuple[np.ndarray, list[str]]:
        """Return the array of a track, and what to warn about; see :data:`.errors.NOTES`."""
        with AudioFile(path, self.sample_rate) as audio:
            track = self._extract_open(audio)
            return track, [note for note in NOTES if getattr(audio, note)]

    def _extract_copy(self, change: Change, number: int, path) -> tuple[np.ndarray, list[str]]:
        """Return the array of a changed copy of a track."""
        with AudioFile(path, self.sample_rate) as audio:
            y = read_center(audio)
        seed = int.from_bytes(hashlib.blake2b(y.tobytes(), digest_size=4).digest(), "little")
        y = apply_change(change, y, self.sample_rate, np.random.RandomState([seed, number]))
        with AudioFile(wav(y, self.sample_rate, name_of(path)), self.sample_rate) as audio:
            return self._extract_open(audio), []

    def _extract_open(self, audio: AudioFile) -> np.ndarray:
        """Return the array of an open file, in which there must be a signal."""
        track = np.asarray(self.extract_track(audio))
        self._check_track(track, audio.name)
        if audio._is_silent:
            raise AudioError(
                audio.name,
                "contains no signal: all that was read is digital silence, a constant or noise "
                f"below {MIN_LEVEL:g} dB",
            )
        if np.isnan(track).all():
            raise AudioError(audio.name, "contains no signal in any of the segments that are used")
        return track

    def _check_track(self, track: np.ndarray, name: str) -> None:
        """Check the shape of the array that a subclass returns."""
        shape = self.track_shape
        fits = track.ndim == len(shape) and track.shape[1:] == tuple(shape[1:])
        if fits and shape[0] is not None:
            fits = track.shape[0] == shape[0] or (len(shape) > 1 and track.shape[0] < shape[0])
        if not fits:
            raise ValueError(
                f"{type(self).__name__}.extract_track returned an array of shape {track.shape} for "
                f"{name}; track_shape is {tuple(shape)}"
            )

    def _check_parameters(self) -> None:
        self._validate_params()
        if list_changes(self.augment) and len(self.track_shape) == 1:
            raise ValueError(
                f"augment={self.augment!r} requires a track tensor, to which the segments of "
                f"copies are added, but {type(self).__name__} returns one row per track. Use "
                "augment=None, or a front end of segments, such as TrackDescriptors or "
                "GTZANFeatures(segment_duration=30)."
            )

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _attempt(extract: Callable, path) -> tuple | AudioError:
    """Extract a track, returning an AudioError instead of raising it."""
    try:
        return extract(path)
    except AudioError as error:
        return error
    except Exception as error:  # an error in the code of a front end
        error.add_note(f"while extracting {name_of(path)}")
        raise
