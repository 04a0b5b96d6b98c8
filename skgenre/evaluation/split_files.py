"""Splits in files, so that a result can be repeated elsewhere."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from .._paths import expand
from ..audio import name_of
from ..datasets._folder import AUDIO_SUFFIXES

_FORMAT = "skgenre splits 1"

#: Names that a message lists before it only counts the rest.
_MOST_LISTED = 3


def write_splits(
    path: str | os.PathLike, cv: Any, tracks: Sequence, *, y: Any = None, groups: Any = None
) -> None:
    """Write the folds of a cross-validation to a file, by the names of the tracks.

    Seeds and versions give the same folds only of the same tracks in the same order; names give
    them of any copy of the collection, in any order, folder and audio format.

    Parameters
    ----------
    path : str or path-like
        The file, in JSON; an existing one is replaced.
    cv : int, splitter, or iterable of (train, test) pairs of indices
        What to write, as ``cv=`` takes it.
    tracks : sequence of str or path-like
        The track of each sample: paths or track ids. Pieces of a track, each a sample, repeat it.
    y : sequence of n_samples labels, default=None
        Genres, for splitters that stratify.
    groups : sequence of n_samples labels, default=None
        Artists, for splitters that use groups.

    Raises
    ------
    ValueError
        If pieces of a track are on both sides of a split, or a side has no sample.

    See Also
    --------
    read_splits : Read them.

    Notes
    -----
    A name is the file's without its ending, such as ``blues.00000``; where that occurs twice,
    with as many folders before it as tell all tracks apart, such as ``rock/Can/01``.

    Examples
    --------
    >>> import os, tempfile
    >>> from skgenre import read_splits, write_splits
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "splits.json")
    ...     write_splits(path, 2, ["a/1.wav", "a/2.wav", "a/3.wav", "a/4.wav"])
    ...     splits = read_splits(path, ["b/4.mp3", "b/3.mp3", "b/2.mp3", "b/1.mp3"])
    >>> [test.tolist() for train, test in splits]
    [[2, 3], [0, 1]]
    """
    names = _names(tracks)
    classifier = y is not None
    folds = check_cv(cv, y, classifier=classifier).split(np.zeros(len(names)), y, groups)
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
    """Read the folds of a cross-validation from a file, as indices of one's own tracks.

    Parameters
    ----------
    path : str or path-like
        A file of :func:`write_splits`.
    tracks : sequence of str or path-like
        The track of each sample, in the order of X: paths or track ids. Folders above those in
        the file's names, and endings of audio files, do not matter. Tracks that are not in the
        file are on neither side.
    missing : {"raise", "ignore"}, default="raise"
        What becomes of tracks in the file that `tracks` lacks: an error, or they are left out, so
        that the scores are of other tracks than the file's.

    Returns
    -------
    cv : list of (train, test) pairs of int ndarrays
        Indices of the samples, for ``cv=`` of any search.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such file, tracks are missing, two of `tracks` go by one name, or a side has
        no sample or shares a track with the other.

    See Also
    --------
    write_splits : Write them.
    """
    if missing not in ("raise", "ignore"):
        raise ValueError(f"missing={missing!r} must be 'raise' or 'ignore'")
    splits = _load(expand(path))
    wanted = {name for split in splits for side in split for name in side}
    depth = max((name.count("/") + 1 for name in wanted), default=1)
    parts = [_parts(track) for track in tracks]
    rows: dict[str, list[int]] = {}
    owner: dict[str, tuple[str, ...]] = {}
    # A name may have fewer parts than others: all that it can be are looked up.
    for i, own in enumerate(parts):
        for n in range(1, min(depth, len(own)) + 1):
            name = "/".join(own[-n:])
            if name in wanted:
                if owner.setdefault(name, own) != own:
                    raise ValueError(
                        f"Two tracks go by the name {name!r} of {path}: {'/'.join(owner[name])} "
                        f"and {'/'.join(own)}; pass the tracks of one of them only"
                    )
                rows.setdefault(name, []).append(i)
    absent = sorted(wanted - rows.keys())
    if absent and missing == "raise":
        raise ValueError(
            f"{len(absent)} of the {len(wanted)} tracks of {path} are not among the "
            f"{len(set(parts))} given: {_listing(absent)}. Pass them too, or use missing='ignore'."
        )
    folds = []
    for fold, (train, test) in enumerate(splits):
        train, test = ([name for name in side if name in rows] for side in (train, test))
        _check_sides(f"Split {fold} of {path}", train, test, "Pass more tracks, or mend the file.")
        folds.append((_all_rows(rows, train), _all_rows(rows, test)))
    return folds


def _all_rows(rows: dict[str, list[int]], names: list[str]) -> np.ndarray:
    return np.array(sorted({i for name in names for i in rows[name]}), dtype=int)


def _load(path: str) -> list[tuple[list[str], list[str]]]:
    """Read the names of each split, and check that they are such."""
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
            if content["format"] != _FORMAT:
                raise ValueError(f"its format is {content['format']!r}, not {_FORMAT!r}")
            splits = [(split["train"], split["test"]) for split in content["splits"]]
            if not all(isinstance(n, str) for split in splits for side in split for n in side):
                raise ValueError("a name is no string")
            if not splits:
                raise ValueError("it holds no split")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no file of write_splits: {error}") from error
    return splits


def _check_sides(what: str, train: list[str], test: list[str], remedy: str) -> None:
    both = sorted(set(train) & set(test))
    if both:
        raise ValueError(f"{what} has tracks on both sides: {_listing(both)}. {remedy}")
    if not train or not test:
        raise ValueError(f"{what} has no track to {'test' if train else 'train'} on. {remedy}")


def _listing(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more


def _names(tracks: Sequence) -> list[str]:
    """Give each track the fewest last parts of its path that tell all tracks apart."""
    parts = [_parts(track) for track in tracks]
    n_tracks = len(set(parts))
    deepest = max(map(len, parts), default=1)
    for depth in range(1, deepest + 1):
        names = ["/".join(own[-depth:]) for own in parts]
        if len(set(names)) == n_tracks:
            break
    return names


def _parts(track: Any) -> tuple[str, ...]:
    """Split a path at its folders, without the ending of an audio file."""
    *folders, name = re.split(r"[/\\]", name_of(track))
    stem, suffix = os.path.splitext(name)
    return (*folders, stem if suffix.lower() in AUDIO_SUFFIXES else name)
