"""GTZAN as people have it on disk."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Literal, overload

import numpy as np
from sklearn.utils import Bunch

from .._paths import expand
from ._collections import check_min_tracks, make_collection
from .facts import GTZAN_GENRES, artist_groups, gtzan_faults

logger = logging.getLogger("skgenre")

#: The environment variable that names the folder.
ENVIRONMENT_VARIABLE = "SKGENRE_GTZAN"

#: Folders in which the common downloads keep the genre folders.
_INNER = ("genres_original", "genres", "Data/genres_original")

_TRACK = re.compile(r"(?P<id>[a-z]+\.\d{5})\.(wav|au|flac|mp3)", re.IGNORECASE)

_WHERE = (
    "GTZAN's home page and its links are gone; copies circulate as the 'GTZAN Dataset - Music "
    "Genre Classification' on the data-science sites and as genres.tar.gz. Unpack one and pass "
    f"its folder as data_home, or set {ENVIRONMENT_VARIABLE}. Without it, "
    "skgenre.datasets.make_tracks makes synthetic tracks."
)

_DESCR = """\
GTZAN: {n_tracks} of 1,000 tracks of 30 seconds in ten genres.

Collected by G. Tzanetakis (G. Tzanetakis and P. Cook, "Musical Genre Classification of Audio
Signals", IEEE Trans. Speech and Audio Processing, 2002). Artists are those that B. L. Sturm
identified ("An Analysis of the GTZAN Music Genre Dataset", ACM MIRUM 2012); he also found
repetitions and mislabellings. Artists sound like themselves: cross-validate with `groups`.
"""


@overload
def load_gtzan(
    data_home: str | os.PathLike | None = None,
    *,
    min_tracks: int = 1,
    return_X_y: Literal[False] = False,
) -> Bunch: ...
@overload
def load_gtzan(
    data_home: str | os.PathLike | None = None,
    *,
    min_tracks: int = 1,
    return_X_y: Literal[True],
) -> tuple[list[str], np.ndarray]: ...
def load_gtzan(
    data_home: str | os.PathLike | None = None,
    *,
    min_tracks: int = 1,
    return_X_y: bool = False,
) -> Bunch | tuple[list[str], np.ndarray]:
    """List the tracks of a local copy of GTZAN; reads no audio.

    Parameters
    ----------
    data_home : str or path-like, default=None
        A folder that holds ``genres_original/`` or ``genres/``, or the genre folders
        themselves. None takes it from the environment variable ``SKGENRE_GTZAN``. Files
        are wav, au, flac or mp3; a part of the collection will do.
    min_tracks : int, default=1
        Genres with fewer tracks are left out.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    tracks : Bunch
        Sorted by genre and number, whatever the file system's order, with these attributes; or
        the first two, with `return_X_y`.

        data : list of str
            Paths, for :class:`skgenre.MFCCSegmenter`.
        target : ndarray of str, shape (n_tracks,)
            Genres.
        target_names : list of str
            The genres that occur, sorted.
        track_ids : ndarray of str, shape (n_tracks,)
            Such as ``"blues.00000"``.
        groups : ndarray of str, shape (n_tracks,)
            The artist where known, else the track.
        excluded : list of str
            Paths left out: ``jazz.00054.wav`` of the common download is corrupt; and those of
            genres with fewer than `min_tracks` tracks.
        DESCR : str
            About the collection.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or it holds no GTZAN tracks.
    ValueError
        If no genre has `min_tracks` tracks.

    Examples
    --------
    >>> from skgenre.datasets import load_gtzan
    >>> tracks = load_gtzan("~/gtzan")  # doctest: +SKIP
    """
    check_min_tracks(min_tracks)
    home = data_home or os.environ.get(ENVIRONMENT_VARIABLE)
    if home is None:
        raise FileNotFoundError(f"No folder given for GTZAN. {_WHERE}")
    home = Path(expand(home))
    if not home.is_dir():
        raise FileNotFoundError(f"There is no folder {home}. {_WHERE}")
    root = next((home / inner for inner in _INNER if (home / inner).is_dir()), home)

    faults = gtzan_faults()
    found: dict[str, Path] = {}
    excluded = []
    for genre in GTZAN_GENRES:
        # Sorted, so that of two formats of one track the same is taken everywhere.
        for path in sorted((root / genre).glob("*")):
            match = _TRACK.fullmatch(path.name)
            if not match or not path.is_file():
                continue
            track_id = match["id"].lower()
            if track_id in faults and path.suffix.lower() == ".wav":
                logger.info("Leaving out %s: %s in the common download", path, faults[track_id])
                excluded.append(str(path))
            else:
                found.setdefault(track_id, path)
    if not found:
        raise FileNotFoundError(
            f"{root} holds no GTZAN tracks: expected folders named by genre ({GTZAN_GENRES[0]}, "
            f"...) with files such as {GTZAN_GENRES[0]}.00000.wav. {_WHERE}"
        )
    track_ids = sorted(found)
    tracks = make_collection(
        [str(found[track_id]) for track_id in track_ids],
        [track_id.partition(".")[0] for track_id in track_ids],
        artist_groups(track_ids),
        where=str(root),
        min_tracks=min_tracks,
        excluded=excluded,
        track_ids=np.array(track_ids),
    )
    tracks.DESCR = _DESCR.format(n_tracks=len(tracks.data))
    return (tracks.data, tracks.target) if return_X_y else tracks
