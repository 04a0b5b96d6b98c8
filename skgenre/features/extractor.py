"""The base of front ends: audio files in, one array a track out."""

from __future__ import annotations

import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.metaestimators import available_if

from .._sklearn import HasMethods, StrOptions, _fit_context
from ..audio import AudioError, AudioFile, name_of
from .cache import cached
from .report import Report

logger = logging.getLogger("skgenre")


def check_paths(X) -> list:
    """Validate a one-dimensional collection, or one column, of paths or file objects.

    Raises
    ------
    TypeError
        For a single path, a collection without an order or that can be gone through only once, or
        an element that is no path.
    ValueError
        For no tracks, or more than one column.
    """
    if isinstance(X, str | bytes | os.PathLike) or hasattr(X, "read"):
        raise TypeError(f"Expected a list of paths, got the single path {X!r}; pass [path].")
    kind = type(X).__name__
    if isinstance(X, Mapping):
        raise TypeError(
            f"Expected a list of paths, got the mapping {kind}, whose keys would be taken for "
            "paths; pass list(X.values()), or of a data set X.data."
        )
    if isinstance(X, set | frozenset):
        raise TypeError(
            f"Expected a list of paths, got a {kind}, which has no order; pass sorted(X)."
        )
    if isinstance(X, Iterator):
        raise TypeError(
            f"Expected a list of paths, got a {kind}, which can be gone through only once, by fit "
            "or by transform; pass list(X)."
        )
    if hasattr(X, "__array__"):  # of NumPy, and the columns of pandas, polars and pyarrow
        X = np.asarray(X, dtype=object)
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim != 1:
            raise ValueError(
                f"Expected a one-dimensional collection of paths, or one column, got shape "
                f"{X.shape}. If these are features already, leave the first step out."
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
                f"Track {i} is {path!r}, of type {type(path).__name__}; expected a path (str or "
                "pathlib.Path) or a binary file object."
            )
    return X


class TrackExtractor(TransformerMixin, BaseEstimator, ABC):
    """Base of front ends: transformers from audio files to one array a track; stateless.

    A subclass states the shape of a track's array in :attr:`track_shape` and computes it in
    :meth:`extract_track`. Reading in parallel, caching, error policy and progress are
    inherited. A subclass with parameters of its own has an ``__init__`` that stores them
    and the four below.

    Parameters
    ----------
    on_error : {"raise", "warn"}, default="raise"
        What becomes of tracks that give no features. ``"raise"`` tries all tracks, then
        raises one error that lists them; ``"warn"`` gives them rows of NaN and warns once.
    memory : str, path-like or joblib.Memory, default=None
        Where to cache features, one entry per file. File objects are not cached.
    n_jobs : int, default=None
        Threads to use, or workers of the backend chosen with
        :func:`joblib.parallel_config`. The result does not depend on it.
    verbose : int, default=0
        Show a progress bar if not 0.

    Attributes
    ----------
    sample_rate : int
        Rate in Hz to which :meth:`extract_track` gets its audio resampled: a parameter or a
        class attribute of the subclass.
    track_shape : tuple of int or None
        Shape of a track's array. Three axes ``(n_segments, n_frames, n_coefficients)`` make
        track tensors: tracks with fewer segments are padded with NaN, and with None for
        ``n_segments`` the longest track of the call decides. One axis makes tables.
    dtype : numpy dtype
        Of the result; float32 by default.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import TrackExtractor
    >>> class PeakLevel(TrackExtractor):
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
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.on_error = on_error
        self.memory = memory
        self.n_jobs = n_jobs
        self.verbose = verbose

    @property
    @abstractmethod
    def track_shape(self) -> tuple[int | None, ...]:
        """Shape of a track's array; a leading None is the longest track's."""

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
            The first of three axes may be shorter.

        Raises
        ------
        AudioError
            If the track gives no features, ``AudioError(audio.name, reason)``.
        """

    def consecutive(self) -> tuple[TrackExtractor, float]:
        """Return a copy that takes all segments of a track in order, for a timeline.

        Returns
        -------
        extractor : TrackExtractor
        seconds : float
            From the start of a segment to that of the next.

        Raises
        ------
        TypeError
            If the front end has no parameters ``window`` and ``n_windows``, and no such method of
            its own.
        """
        window: Any = getattr(self, "window", None)
        if window is None or not hasattr(self, "n_windows"):
            raise TypeError(f"{type(self).__name__} has no windows, and so no timeline")
        return clone(self).set_params(n_windows=None), window

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None) -> Self:
        """Validate the parameters and that `X` is a collection of paths; reads no audio.

        Parameters
        ----------
        X : list, array or Series of paths, or a DataFrame of one column
        y : ignored

        Returns
        -------
        self
        """
        self._check_parameters()
        check_paths(X)
        return self

    def transform(self, X) -> Any:
        r"""Read the tracks and compute their arrays.

        Parameters
        ----------
        X : list, array or Series of paths, or a DataFrame of one column
            ``str``, ``pathlib.Path``, or binary file objects; of NumPy, pandas, polars or pyarrow.

        Returns
        -------
        X : ndarray of shape (n_tracks, \*track_shape)
            Segments that do not exist, and tracks that cannot be used, are NaN.

        Raises
        ------
        UnreadableTracksError
            If ``on_error="raise"`` and tracks cannot be used.
        """
        self._check_parameters()
        paths = check_paths(X)
        report = Report(len(paths))
        tracks: Any = self._extract_all(paths, report)
        shape: Any = self.track_shape
        if shape[0] is None:
            tracks = list(tracks)
            longest = max([1, *(len(track) for track in tracks if track is not None)])
            shape = (longest, *shape[1:])
        out = np.full((len(paths), *shape), np.nan, self.dtype)
        for row, track in zip(out, tracks, strict=True):
            if track is not None:
                row[: len(track)] = track
        report.conclude(self.on_error)
        return out

    @available_if(lambda self: len(self.track_shape) == 1)
    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Names of the columns of a table: the name of the class and a number.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str objects
        """
        prefix = type(self).__name__.lower()
        return np.array([f"{prefix}{i}" for i in range(self.track_shape[0] or 0)], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Set the container of the output, for tables; tensors stay arrays.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            As in scikit-learn. Without effect on tensors, which have no table form.

        Returns
        -------
        self
        """
        return super().set_output(transform=transform) if len(self.track_shape) == 1 else self

    def _extract_all(self, paths: list, report: Report) -> Iterator[np.ndarray | None]:
        """Yield the array of each track, in order; None for those that `report` lists."""
        extract = self._extract if self.memory is None else cached(self)
        start = time.perf_counter()
        # Tracks one by one as they are done, where the backend can; Ray's and Spark's cannot.
        backend, _ = get_active_backend(prefer="threads")
        one_by_one = getattr(backend, "supports_return_generator", False)
        how = "generator" if one_by_one else "list"
        results = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as=how)(
            delayed(_attempt)(extract, path) for path in paths
        )
        for path, result in zip(paths, self._with_progress(results, len(paths)), strict=True):
            if isinstance(result, AudioError):
                report.failures.append(result)
                yield None
                continue
            track, ended_early = result
            if ended_early:
                report.truncated.append(name_of(path))
            yield track
        logger.debug(
            "%s: %d tracks in %.2f s, %d of them unreadable",
            type(self).__name__,
            len(paths),
            time.perf_counter() - start,
            len(report.failures),
        )

    def _extract(self, path) -> tuple[np.ndarray, bool]:
        """Array of one track, and whether its file ends early."""
        with AudioFile(path, self.sample_rate) as audio:
            track = np.asarray(self.extract_track(audio))
            self._check_track(track, audio.name)
            return track, audio.ended_early

    def _check_track(self, track: np.ndarray, name: str) -> None:
        """Check what a subclass returns; of three axes the first may be shorter."""
        shape = self.track_shape
        fits = track.ndim == len(shape) and track.shape[1:] == tuple(shape[1:])
        if fits and shape[0] is not None:
            fits = track.shape[0] == shape[0] or (len(shape) > 1 and track.shape[0] < shape[0])
        if not fits:
            raise ValueError(
                f"{type(self).__name__}.extract_track returned an array of shape {track.shape} for "
                f"{name}; track_shape is {tuple(shape)}"
            )

    def _with_progress(self, results, n_tracks: int):
        if not self.verbose:
            return results
        from tqdm.auto import tqdm

        return tqdm(results, total=n_tracks, desc=type(self).__name__, unit="track")

    def _check_parameters(self) -> None:
        self._validate_params()

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _attempt(extract: Callable, path) -> tuple[np.ndarray, bool] | AudioError:
    """Array of a track and whether its file ends early; or why there is none."""
    try:
        return extract(path)
    except AudioError as error:
        return error
    except Exception as error:  # of a front end's own code
        error.add_note(f"while {name_of(path)} was read")
        raise
