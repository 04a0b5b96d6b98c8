"""Groups of a music folder: an artist is one, however and wherever the name is written."""

import unicodedata

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from skgenre.datasets import load_folder


def groups(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tracks = load_folder(folder)
    found = {
        path.removeprefix(f"{folder}/"): group
        for path, group in zip(tracks.data, tracks.groups.tolist(), strict=True)
    }
    return [found[name] for name in names]


def test_an_artist_of_two_genres_is_one_group(tmp_path):
    names = ["rock/Prince/a.mp3", "pop/Prince/Parade/b.mp3", "pop/Madonna/c.mp3"]
    assert groups(tmp_path, *names) == ["prince", "prince", "madonna"]
    tracks = load_folder(tmp_path)
    for train, test in GroupKFold(2).split(tracks.data, groups=tracks.groups):
        assert not set(tracks.groups[train]) & set(tracks.groups[test])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("PRINCE", "prince"),
        ("Die Ärzte", unicodedata.normalize("NFD", "die ärzte")),
        ("Straße", "STRASSE"),
        ("\uff21\uff22\uff22\uff21", "Abba"),
        ("The  Who ", "The Who"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
    ],
)
def test_a_name_is_one_however_it_is_written(tmp_path, one, other):
    first, second = groups(tmp_path, f"rock/{one}/a.mp3", f"pop/{other}/b.mp3")
    assert first == second


@pytest.mark.parametrize(
    "name",
    [
        *("Various Artists", "various artist", "VA", "V.A.", "_Various_", "Unknown", "[unknown]"),
        *("Unknown Artist", "Compilations", "Compilation", "Soundtrack", "OST", "Misc.", "Singles"),
        *("CD1", "CD 2", "cd-03", "Disc 1", "Disk 1", "Disc One", "Vol. 3", "Side A", "---"),
    ],
)
def test_what_is_no_artist_stays_per_genre(tmp_path, name):
    first, second, third = groups(
        tmp_path, f"rock/{name}/a.mp3", f"pop/{name}/b.mp3", f"rock/{name}/CD9/c.mp3"
    )
    assert first.startswith("rock/")
    assert second.startswith("pop/")
    assert third == first


@pytest.mark.parametrize("name", ["Disclosure", "CD Projekt", "Vast", "311", "Various Cruelties"])
def test_artists_that_look_like_none_are_artists(tmp_path, name):
    assert len(set(groups(tmp_path, f"rock/{name}/a.mp3", f"pop/{name}/b.mp3"))) == 1


def test_tracks_without_an_artist_and_those_of_gtzan_stay_as_they_are(tmp_path):
    names = ["rock/Song.mp3", "pop/Song.mp3", "blues/blues.00000.wav", "blues/blues.00001.wav"]
    assert groups(tmp_path, *names) == [
        *("rock/Song.mp3", "pop/Song.mp3", "John Lee Hooker", "John Lee Hooker")
    ]
    assert load_folder(tmp_path).groups.dtype.kind == np.dtype(str).kind
