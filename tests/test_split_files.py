"""Splits in files."""

import json

import numpy as np
import pytest
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.neighbors import KNeighborsClassifier

from skgenre.datasets import filtered_split
from skgenre.evaluation import read_splits, write_splits

TRACKS = [f"/here/{genre}/{genre}.{i:05d}.wav" for genre in ("jazz", "rock") for i in range(6)]
GENRES = np.repeat(["jazz", "rock"], 6)
ARTISTS = np.arange(12) // 2


def as_lists(splits):
    return [(train.tolist(), test.tolist()) for train, test in splits]


def write(path, splits, marker="skgenre splits 1"):
    """A file made by hand."""
    splits = [{"train": train, "test": test} for train, test in splits]
    path.write_text(json.dumps({"format": marker, "splits": splits}))
    return path


@pytest.mark.parametrize(
    "cv",
    [
        KFold(3),
        StratifiedKFold(2, shuffle=True, random_state=0),
        StratifiedGroupKFold(3),
        ShuffleSplit(2, random_state=0),
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_the_folds_of_a_splitter_come_back(tmp_path, cv):
    groups = ARTISTS if isinstance(cv, StratifiedGroupKFold) else None
    write_splits(tmp_path / "s.json", cv, TRACKS, y=GENRES, groups=groups)
    expected = [
        (sorted(train.tolist()), sorted(test.tolist()))
        for train, test in cv.split(TRACKS, GENRES, groups)
    ]
    assert as_lists(read_splits(tmp_path / "s.json", TRACKS)) == expected


def test_an_int_is_stratified_where_there_are_genres(tmp_path):
    write_splits(tmp_path / "s.json", 3, TRACKS, y=GENRES)
    for _, test in read_splits(tmp_path / "s.json", TRACKS):
        assert sorted(GENRES[test]) == ["jazz"] * 2 + ["rock"] * 2


def test_another_order_folder_and_format(tmp_path):
    write_splits(tmp_path / "s.json", [([0, 1, 2], [10, 11])], TRACKS)
    elsewhere = [track.replace("/here/", "D:\\music\\").replace("wav", "FLAC") for track in TRACKS]
    [(train, test)] = read_splits(tmp_path / "s.json", elsewhere[::-1])
    assert (train.tolist(), test.tolist()) == ([9, 10, 11], [0, 1])


def test_track_ids_keep_their_numbers(tmp_path):
    write_splits(tmp_path / "s.json", [([0], [1])], ["jazz.00001", "jazz.00002"])
    content = json.loads((tmp_path / "s.json").read_text())
    assert content["splits"] == [{"train": ["jazz.00001"], "test": ["jazz.00002"]}]


def test_names_that_occur_twice_take_their_folders(tmp_path):
    tracks = ["x/Can/01.mp3", "x/Nas/01.mp3", "x/Nas/02.mp3"]
    write_splits(tmp_path / "s.json", [([0], [1])], tracks)
    assert json.loads((tmp_path / "s.json").read_text())["splits"][0]["train"] == ["Can/01"]
    assert as_lists(read_splits(tmp_path / "s.json", tracks[::-1])) == [([2], [1])]


def test_pieces_of_a_track_go_with_it(tmp_path):
    pieces = np.repeat(TRACKS, 2)
    write_splits(
        tmp_path / "s.json", StratifiedGroupKFold(2), pieces, y=np.repeat(GENRES, 2), groups=pieces
    )
    for train, test in read_splits(tmp_path / "s.json", pieces):
        assert len(train) == len(test) == 12


def test_pieces_of_a_track_on_both_sides_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"both sides: jazz\.00000\. Draw the folds by track"):
        write_splits(tmp_path / "s.json", [([0], [1])], [TRACKS[0], TRACKS[0]])


def test_tracks_that_are_not_in_the_file_are_on_neither_side(tmp_path):
    write_splits(tmp_path / "s.json", [([0], [1])], TRACKS[:2])
    [(train, test)] = read_splits(tmp_path / "s.json", TRACKS)
    assert [*train, *test] == [0, 1]


def test_missing_tracks(tmp_path):
    write_splits(tmp_path / "s.json", 2, TRACKS)
    with pytest.raises(
        ValueError, match=r"1 of the 12 tracks .* the 11 given tracks: jazz\.00000\. Pass"
    ):
        read_splits(tmp_path / "s.json", TRACKS[1:])
    folds = read_splits(tmp_path / "s.json", TRACKS[1:], missing="ignore")
    assert [len(train) + len(test) for train, test in folds] == [11, 11]


def test_a_side_that_would_be_empty(tmp_path):
    write_splits(tmp_path / "s.json", [([0, 1], [2])], TRACKS)
    with pytest.raises(ValueError, match=r"Split 0 of .* has no test tracks"):
        read_splits(tmp_path / "s.json", TRACKS[:2], missing="ignore")


def test_two_tracks_of_one_name(tmp_path):
    write_splits(tmp_path / "s.json", [([0], [1])], ["01.mp3", "02.mp3"])
    with pytest.raises(ValueError, match=r"Two tracks match the name '01' .*a/01 and b/01"):
        read_splits(tmp_path / "s.json", ["a/01.mp3", "b/01.mp3", "b/02.mp3"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rubbish", "was not written by write_splits"),
        ("[]", "was not written by write_splits"),
        ('{"splits": []}', "was not written by write_splits: 'format'"),
        ('{"format": "skgenre splits 9", "splits": []}', "expected format 'skgenre splits 1'"),
        ('{"format": "skgenre splits 1", "splits": []}', "contains no splits"),
        (
            '{"format": "skgenre splits 1", "splits": [{"train": [1], "test": []}]}',
            "must be strings",
        ),
    ],
)
def test_files_that_are_something_else(tmp_path, content, message):
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_splits(tmp_path / "s.json", TRACKS)


def test_a_file_that_was_edited_into_a_leak(tmp_path):
    path = write(tmp_path / "s.json", [(["jazz.00000", "jazz.00001"], ["jazz.00001"])])
    with pytest.raises(ValueError, match=r"both sides: jazz\.00001\. Pass more tracks, or fix"):
        read_splits(path, TRACKS)


def test_what_becomes_of_missing_tracks_is_one_of_two(tmp_path):
    with pytest.raises(ValueError, match="missing must be 'raise' or 'ignore'; got 'skip'"):
        read_splits(tmp_path / "s.json", TRACKS, missing="skip")


def test_a_search_over_the_filtered_split_from_a_file(tmp_path):
    track_ids = ["blues.00029", "blues.00000", "rock.00000", "rock.00001"]
    split = filtered_split(track_ids, train=("train", "test"), test=("valid",))
    write_splits(tmp_path / "s.json", split, track_ids)
    assert as_lists(read_splits(tmp_path / "s.json", track_ids)) == as_lists(split)


def test_a_search_takes_them(tmp_path):
    write_splits(tmp_path / "s.json", 3, TRACKS, y=GENRES)
    cv = read_splits(tmp_path / "s.json", TRACKS)
    search = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, cv=cv)
    assert search.fit(np.arange(12)[:, None], GENRES).n_splits_ == 3
