"""Loading of local copies of GTZAN."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Literal, overload

import numpy as np
from sklearn.utils import Bunch

from .._files import expand
from ._collections import check_min_tracks, make_collection
from ._listing import report_unreadable, visible
from ._names import GTZAN_GENRES, is_audio, normal, parse_gtzan
from .facts import gtzan_faults

logger = logging.getLogger("skgenre")

#: Environment variable with the path of the dataset.
ENVIRONMENT_VARIABLE = "SKGENRE_GTZAN"

#: Folders that contain the genre folders in common downloads.
_INNER = ("genres_original", "genres", "Data/genres_original")

_WHERE = (
    "The official GTZAN download is no longer available; copies are distributed as 'GTZAN Dataset "
    "- Music Genre Classification' on data science platforms and as genres.tar.gz. Unpack one and "
    f"pass its folder as data_home, or set {ENVIRONMENT_VARIABLE}. Without the dataset, "
    "skgenre.datasets.make_tracks creates synthetic tracks."
)

_DESCR = """\
GTZAN: {n_tracks} of 1,000 tracks of 30 seconds in ten genres.

Collected by G. Tzanetakis (G. Tzanetakis and P. Cook, "Musical Genre Classification of Audio
Signals", IEEE Trans. Speech and Audio Processing, 2002). The artists were identified by B. L. Sturm
("An Analysis of the GTZAN Music Genre Dataset", ACM MIRUM 2012), who also found repetitions and
wrong labels. Tracks of an artist are similar: use `groups` for cross-validation.
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
    """Load the paths and genres of a local copy of GTZAN. No audio is read.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder that contains ``genres_original/``, ``genres/`` or the genre folders. If None, the
        environment variable ``SKGENRE_GTZAN`` is used. The files can have any audio format and
        the names that :func:`skgenre.datasets.track_groups` accepts. The copy can be incomplete,
        and its genre folders can be symbolic links. Of several files of a track, the one with the
        shortest name is used; segments of tracks are ignored.
    min_tracks : int, default=1
        Genres with fewer tracks are excluded.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch object.

    Returns
    -------
    tracks : Bunch
        Dictionary-like object, sorted by genre and number, with the following attributes. If
        `return_X_y` is True, a tuple of the first two is returned instead.

        data : list of str
            Paths, for example for :class:`skgenre.MFCCSegmenter`.
        target : ndarray of str, shape (n_tracks,)
            Genres.
        target_names : list of str
            Sorted names of the genres.
        track_ids : ndarray of str, shape (n_tracks,)
            Track ids, such as ``"blues.00000"``.
        groups : ndarray of str, shape (n_tracks,)
            Artist of each track if known, otherwise the track id.
        excluded : list of str
            Paths of ``jazz.00054.wav``, which is corrupt in the common download, and of genres
            with fewer than `min_tracks` tracks.
        DESCR : str
            Description of the dataset.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or contains no GTZAN tracks.
    OSError
        If the folder cannot be read, for example a PermissionError.
    ValueError
        If no genre has at least `min_tracks` tracks.

    Warns
    -----
    UserWarning
        If genre folders cannot be read; they are left out.

    Examples
    --------
    >>> from skgenre.datasets import load_gtzan
    >>> tracks = load_gtzan("gtzan")  # doctest: +SKIP
    >>> tracks.target_names  # doctest: +SKIP
    ['blues', 'classical', 'country', 'disco', 'hiphop', 'jazz', 'metal', 'pop', 'reggae', 'rock']
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
    found: dict[str, str] = {}
    excluded = []
    n_pieces = 0
    unreadable: dict[str, OSError] = {}
    folders = [folder for folder in visible(str(root), unreadable) if folder.is_dir()]
    files = [
        file
        for folder in folders
        if normal(folder.name) in GTZAN_GENRES
        for file in visible(folder.path, unreadable)
        if is_audio(file.name) and file.is_file()
    ]
    report_unreadable(str(root), unreadable)
    # The shortest name is that of the original of a copy. Sorting makes the choice between two
    # formats of a track reproducible.
    for file in sorted(files, key=lambda file: (len(file.name), file.path)):
        parsed = parse_gtzan(file.name)
        if parsed is None or parsed.is_piece:
            n_pieces += parsed is not None
            continue
        stem, suffix = os.path.splitext(file.name)
        # jazz.00054.au.wav is not the common download.
        if parsed.track in faults and suffix.lower() == ".wav" and not is_audio(stem):
            logger.info("Excluding %s: %s in the common download", file.path, faults[parsed.track])
            excluded.append(file.path)
        else:
            found.setdefault(parsed.track, file.path)
    if not found:
        pieces = f" It contains {n_pieces} pieces of tracks: use load_folder." if n_pieces else ""
        raise FileNotFoundError(
            f"{root} contains no GTZAN tracks: expected folders named by genre ({GTZAN_GENRES[0]}, "
            f"...) with files such as {GTZAN_GENRES[0]}.00000.wav.{pieces} {_WHERE}"
        )
    track_ids = sorted(found)
    tracks = make_collection(
        [found[track_id] for track_id in track_ids],
        [track_id.partition(".")[0] for track_id in track_ids],
        None,
        track_ids,
        where=str(root),
        min_tracks=min_tracks,
        excluded=excluded,
        track_ids=np.array(track_ids),
    )
    tracks.DESCR = _DESCR.format(n_tracks=len(tracks.data))
    return (tracks.data, tracks.target) if return_X_y else tracks
