"""What transformers of audio files share: many files in, one array a track out."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.metadata import version
from numbers import Integral
from pathlib import Path

import joblib
import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import check_memory

from .audio import AudioError, name_of

#: Failures or warnings that a message lists before it only counts the rest.
_MOST_LISTED = 20


class UnreadableTracksError(ValueError):
    """Tracks that gave no features, all of one call in one error.

    Parameters
    ----------
    failures : list of AudioError
        One for each track, with its ``path`` and ``reason``.
    n_tracks : int
        How many tracks the call had.
    """

    def __init__(self, failures: list[AudioError], n_tracks: int):
        super().__init__(failures, n_tracks)
        self.failures = failures
        self.n_tracks = n_tracks

    def __str__(self) -> str:
        return (
            f"{len(self.failures)} of {self.n_tracks} tracks cannot be used:\n"
            f"{listing(self.failures)}\nLeave them out, or set on_error='warn' to give them "
            "rows of NaN, which the networks leave out of fit and baselines fill with means."
        )


def listing(items, most: int = _MOST_LISTED) -> str:
    """Format items as lines; beyond `most`, say how many more."""
    lines = [f"  {item}" for item in items[:most]]
    if len(items) > most:
        lines.append(f"  ... and {len(items) - most} more")
    return "\n".join(lines)


def check_paths(X) -> list:
    """Validate a one-dimensional collection, or one column, of paths or file objects.

    Raises
    ------
    TypeError
        For a single path, or an element that is none.
    ValueError
        For no tracks, or more than one column.
    """
    if isinstance(X, str | bytes | os.PathLike) or hasattr(X, "read"):
        raise TypeError(f"Expected a list of paths, got the single path {X!r}; pass [path].")
    if hasattr(X, "iloc") or isinstance(X, np.ndarray):
        X = np.asarray(X, dtype=object)
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim != 1:
            raise ValueError(
                f"Expected a one-dimensional collection of paths, or one column, got shape "
                f"{X.shape}. If these are features already, leave the first step out."
            )
    X = list(X)
    if not X:
        raise ValueError("Found no tracks: the list of paths is empty.")
    for i, path in enumerate(X):
        if not (isinstance(path, str | os.PathLike) or hasattr(path, "read")):
            raise TypeError(
                f"Track {i} is {path!r}, of type {type(path).__name__}; expected a path (str or "
                "pathlib.Path) or a binary file object."
            )
    return X


class TrackExtractor(TransformerMixin, BaseEstimator):
    """Base of transformers from paths to arrays; stateless.

    A subclass has the parameters `on_error`, `memory`, `n_jobs` and `verbose`, says what it
    computes in :meth:`_extract`, and stacks what :meth:`_extract_all` yields in its ``transform``.
    """

    _parameter_constraints: dict = {
        "on_error": [StrOptions({"raise", "warn"})],
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def _extract(self, path) -> tuple[np.ndarray, bool]:
        """Compute the array of one track, and tell whether the file ends early.

        Raises
        ------
        AudioError
            If the track gives nothing.
        """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the parameters and that `X` is a collection of paths; reads no audio.

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

    def _extract_all(self, paths: list) -> Iterator[np.ndarray | None]:
        """Array of each track, in order; None for those that give nothing, if that may be.

        Errors and warnings come behind the last.
        """
        extract = self._cached_extract()
        results = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(
            delayed(_attempt)(extract, path) for path in paths
        )
        failures: list[AudioError] = []
        truncated: list[str] = []
        for path, result in zip(paths, self._with_progress(results, len(paths)), strict=True):
            if isinstance(result, AudioError):
                failures.append(result)
                yield None
                continue
            features, ended_early = result
            if ended_early:
                truncated.append(name_of(path))
            yield features
        if failures and self.on_error == "raise":
            raise UnreadableTracksError(failures, len(paths))
        if failures:
            warnings.warn(
                f"{len(failures)} of {len(paths)} tracks cannot be used and have rows of NaN:\n"
                f"{listing(failures)}",
                UserWarning,
                stacklevel=3,
            )
        if truncated:
            warnings.warn(
                f"{len(truncated)} of {len(paths)} files end early (truncated?) and are used as "
                f"far as they go:\n{listing(truncated)}",
                UserWarning,
                stacklevel=3,
            )

    def _cached_extract(self) -> Callable:
        """:meth:`_extract`, through the cache if there is one."""
        if self.memory is None:
            return self._extract
        memory = os.fspath(self.memory) if isinstance(self.memory, os.PathLike) else self.memory
        # What changes the result: not how errors are told, where it is kept, or who computes.
        plain = clone(self).set_params(on_error="raise", memory=None, n_jobs=None, verbose=0)
        key = joblib.hash((type(self).__name__, plain.get_params(), versions()))
        memory = check_memory(memory)
        location = getattr(memory, "location", None)
        if location is not None:
            _sweep(os.fspath(location))
        return partial(_recall, memory.cache(_compute, ignore=["extractor"]), plain, key)

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


def _recall(compute: Callable, extractor: TrackExtractor, key: str, path):
    """Look a file up in the cache, or compute it; one entry per file, time of change and key."""
    if not isinstance(path, str | os.PathLike):
        return extractor._extract(path)
    path = os.path.abspath(os.fspath(path))
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return extractor._extract(path)  # which says what is wrong with it
    return compute(extractor, key, path, status.st_size, status.st_mtime_ns)


@cache
def _sweep(location: str) -> None:
    """Remove what killed processes were about to write, once a process.

    joblib writes ``output.pkl.<who>`` and renames it. Those of the last hour may be in the making.
    """
    entries = Path(location, "joblib", *__name__.split("."), _compute.__name__)
    for path in entries.glob("*/*.*.*"):
        with contextlib.suppress(OSError):  # another process was first
            if time.time() - path.stat().st_mtime > 3600:
                path.unlink()


def _compute(extractor: TrackExtractor, key: str, path: str, size: int, mtime_ns: int):
    """Be what the cache remembers; all arguments but the first tell one entry from another."""
    return extractor._extract(path)


@cache
def versions() -> tuple[str, ...]:
    """Versions of what computes features; with another one they are computed anew."""
    return tuple(version(name) for name in ("skgenre", "librosa", "soundfile", "soxr", "scipy"))
