"""Files of cross-validation splits for reproducible results."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._checks import check_groups, check_labels, check_sequence, list_names
from .._files import expand
from ..audio import name_of
from ..datasets._names import AUDIO_SUFFIXES
from ..folds import check_folds

_FORMAT = "skgenre splits 1"


def write_splits(
    path: str | os.PathLike, cv: Any, tracks: Sequence, *, y: Any = None, groups: Any = None
) -> None:
    """Write the folds of a cross-validation to a JSON file.

    The tracks of each fold are stored by name. With a random seed, folds can be reproduced only
    for the same tracks in the same order and with the same versions of the libraries. Names
    identify the tracks in any copy of the collection, independent of their order, the folder and
    the audio format.

    Parameters
    ----------
    path : str or path-like
        Path of the file. An existing file is replaced.
    cv : int, splitter, iterable of (train, test) pairs of indices, or None
        Cross-validation splitting strategy. An int is the maximum number of folds, which are
        stratified with `y` and keep groups together with `groups`; None means 5.
    tracks : sequence of str or path-like
        Track of each sample: paths or track ids. A track may occur more than once if the samples
        are pieces of tracks.
    y : array-like of shape (n_samples,), default=None
        Genres, for stratified folds.
    groups : array-like of shape (n_samples,), default=None
        Group labels, such as artists, for folds that keep groups together.

    Raises
    ------
    TypeError
        If `tracks` is a single track, or not ordered.
    ValueError
        If pieces of a track are on both sides of a split, or a side is empty; or if `y` or
        `groups` has missing values (None or NaN) or another length than `tracks`.

    See Also
    --------
    read_splits : Read the folds from a file.

    Notes
    -----
    The name of a track is its file name without extension, such as ``blues.00000``. If these are
    not unique, all names are extended by the minimum number of parent folders that makes them
    unique, such as ``rock/Can/01``.

    Examples
    --------
    >>> import os, tempfile
    >>> from skgenre.evaluation import read_splits, write_splits
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "splits.json")
    ...     write_splits(path, 2, ["a/1.wav", "a/2.wav", "a/3.wav", "a/4.wav"])
    ...     splits = read_splits(path, ["b/4.mp3", "b/3.mp3", "b/2.mp3", "b/1.mp3"])
    >>> [test.tolist() for train, test in splits]
    [[2, 3], [0, 1]]
    """
    check_sequence("tracks", tracks)
    names = _names(tracks)
    y = None if y is None else check_labels(y, len(names))
    groups = None if groups is None else check_groups(groups, len(names))
    folds = check_folds(cv, y, groups).split(np.zeros(len(names)), y, groups)
    splits = []
    for fold, sides in enumerate(folds):
        train, test = (list(dict.fromkeys(names[i] for i in side)) for side in sides)
        _check_sides(f"Split {fold}", train, test, "Draw the folds by track, or by artist.")
        splits.append({"train": train, "test": test})
    content = {"format": _FORMAT, "n_tracks": len(set(names)), "splits": splits}
    with open(expand(path), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.write("\n")


def read_splits(
    path: str | os.PathLike, tracks: Sequence, *, missing: str = "raise"
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read the folds of a cross-validation from a file.

    Parameters
    ----------
    path : str or path-like
        Path of a file that was written by :func:`write_splits`.
    tracks : sequence of str or path-like
        Track of each sample: paths or track ids. Parent folders that are not part of the names in
        the file, and extensions of audio files, are ignored. Tracks that are not in the file are
        not used.
    missing : {"raise", "ignore"}, default="raise"
        Whether to raise an error or to ignore tracks in the file that are missing in `tracks`.
        If they are ignored, scores are not comparable with those on the original folds.

    Returns
    -------
    cv : list of (train, test) pairs of int ndarray
        Indices of the training and test samples of each fold, which can be passed as ``cv`` to
        scikit-learn's functions and searches.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    TypeError
        If `tracks` is a single track, or not ordered.
    ValueError
        If the file was not written by :func:`write_splits`, tracks are missing, two of `tracks`
        have the same name, or a side of a split is empty or shares a track with the other side.

    See Also
    --------
    write_splits : Write the folds to a file.

    Examples
    --------
    >>> import os, tempfile
    >>> from skgenre.evaluation import read_splits, write_splits
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "splits.json")
    ...     write_splits(path, 2, ["blues.00000", "blues.00001"])
    ...     splits = read_splits(path, ["gtzan/blues.00000.wav", "gtzan/blues.00001.wav"])
    >>> [(train.tolist(), test.tolist()) for train, test in splits]
    [([1], [0]), ([0], [1])]
    """
    if missing not in ("raise", "ignore"):
        raise ValueError(f"missing must be 'raise' or 'ignore'; got {missing!r}.")
    check_sequence("tracks", tracks)
    splits = _load(expand(path))
    wanted = {name for split in splits for side in split for name in side}
    depth = max((name.count("/") + 1 for name in wanted), default=1)
    paths = [_components(track) for track in tracks]
    rows: dict[str, list[int]] = {}
    owner: dict[str, tuple[str, ...]] = {}
    # The names in the file may have different numbers of parts, so all are looked up.
    for i, own in enumerate(paths):
        for n in range(1, min(depth, len(own)) + 1):
            name = "/".join(own[-n:])
            if name in wanted:
                if owner.setdefault(name, own) != own:
                    raise ValueError(
                        f"Two tracks match the name {name!r} in {path}: {'/'.join(owner[name])} "
                        f"and {'/'.join(own)}. Pass only one of them."
                    )
                rows.setdefault(name, []).append(i)
    absent = sorted(wanted - rows.keys())
    if absent and missing == "raise":
        raise ValueError(
            f"{len(absent)} of the {len(wanted)} tracks of {path} are missing in the "
            f"{len(set(paths))} given tracks: {list_names(absent)}. Pass all tracks, or use "
            "missing='ignore'."
        )
    folds = []
    for fold, (train, test) in enumerate(splits):
        train, test = ([name for name in side if name in rows] for side in (train, test))
        _check_sides(f"Split {fold} of {path}", train, test, "Pass more tracks, or fix the file.")
        samples = [sorted({i for name in side for i in rows[name]}) for side in (train, test)]
        folds.append((np.array(samples[0]), np.array(samples[1])))
    return folds


def _load(path: str) -> list[tuple[list[str], list[str]]]:
    """Read and validate the names of each split."""
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
            if content["format"] != _FORMAT:
                raise ValueError(f"expected format {_FORMAT!r}, got {content['format']!r}")
            splits = [(split["train"], split["test"]) for split in content["splits"]]
            if not all(isinstance(n, str) for split in splits for side in split for n in side):
                raise ValueError("track names must be strings")
            if not splits:
                raise ValueError("it contains no splits")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} was not written by write_splits: {error}") from error
    return splits


def _check_sides(what: str, train: list[str], test: list[str], remedy: str) -> None:
    both = sorted(set(train) & set(test))
    if both:
        raise ValueError(f"{what} has tracks on both sides: {list_names(both)}. {remedy}")
    if not train or not test:
        raise ValueError(f"{what} has no {'test' if train else 'training'} tracks. {remedy}")


def _names(tracks: Sequence) -> list[str]:
    """Return names with the minimum number of trailing path components that is unique."""
    paths = [_components(track) for track in tracks]
    n_tracks = len(set(paths))
    deepest = max(map(len, paths), default=1)
    for depth in range(1, deepest + 1):
        names = ["/".join(own[-depth:]) for own in paths]
        if len(set(names)) == n_tracks:
            break
    return names


def _components(track: Any) -> tuple[str, ...]:
    """Split a path into its components, without the extension of an audio file."""
    *folders, name = re.split(r"[/\\]", name_of(track))
    stem, suffix = os.path.splitext(name)
    return (*folders, stem if suffix.lower() in AUDIO_SUFFIXES else name)
