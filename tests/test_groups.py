"""Groups: an artist is one, however and wherever the name is written, and so is a track."""

import unicodedata

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold

from skgenre.datasets import (
    artist_groups,
    count_known_artists,
    load_folder,
    load_gtzan,
    load_table,
    track_groups,
)


def fabricate(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def groups(folder, *names):
    fabricate(folder, names)
    tracks = load_folder(folder)
    found = {
        path.removeprefix(f"{folder}/"): group
        for path, group in zip(tracks.data, tracks.groups.tolist(), strict=True)
    }
    return [found[name] for name in names]


def groups_of_table(folder, *names):
    fabricate(folder, names)
    pd.DataFrame({"path": names, "genre": "any"}).to_csv(folder / "t.csv", index=False)
    return load_table(folder / "t.csv").groups.tolist()


LOADERS = pytest.mark.parametrize("groups", [groups, groups_of_table], ids=["folder", "table"])


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
        *("rock/Song", "pop/Song", "John Lee Hooker", "John Lee Hooker")
    ]
    assert load_folder(tmp_path).groups.dtype.kind == np.dtype(str).kind


def test_an_artist_of_gtzan_is_that_of_a_folder(tmp_path):
    first, second = groups(tmp_path, "blues/John  lee Hooker/a.mp3", "blues/blues.00000.wav")
    assert first == second


# ---------------------------------------------------------------- names of GTZAN

#: Names of blues.00000, whose artist is John Lee Hooker.
WHOLE = [
    *("blues.00000.ogg", "blues.00000.opus", "blues.00000.M4A", "blues.00000.au.wav"),
    *("blues_00000.wav", "blues-00000.wav", "Blues 00000.wav", "blues00000.wav"),
    *("blues.00000 (1).wav", "blues.00000(2).wav", "blues.00000 - Copy.wav", "blues.00000_copy.au"),
    *("blues.00000 - Copy (2).wav", "blues.00000 copy 2.wav", "Copy of blues.00000.wav"),
    *("gtzan_blues.00000.wav", "blues_blues.00000.wav"),
    *("blues.00000.wav (1).wav", "blues.00000 (copy).wav", "blues.00000 (3rd copy).wav"),
]
PARTS = [
    *("blues.00000.3.wav", "blues.00000_3.wav", "blues.00000-3.ogg", "blues.00000 3.wav"),
    *("blues_00000_03.wav", "blues00000_3.wav", "blues.00000_part3.wav", "blues.00000.seg_3.wav"),
    *("blues.00000 - segment 3.wav", "blues.00000chunk3.wav", "blues.00000_clip-003.mp3"),
    *("BLUES.00000_SPLIT3.WAV", "blues.00000_3_of_10.wav", "blues.00000 [3].wav"),
    *("blues.00000_3s-6s.wav", "blues.00000_p3.wav", "blues.00000_3 (1).wav"),
    *("blues.00000_window.wav", "blues.00000/3.wav", "blues.00000/slice_3.wav"),
    *("0_blues.00000.wav", "part3_blues.00000.wav", "aug-1 - blues.00000.wav"),
]


@LOADERS
def test_names_of_gtzan_are_known_in_these_forms(tmp_path, groups):
    names = [f"blues/{name}" for name in [*WHOLE, *PARTS, "blues.00001.wav", "other.wav"]]
    *found, other = groups(tmp_path, *names)
    assert set(found) == {"John Lee Hooker"}
    assert other.endswith("blues/other")


def test_names_of_gtzan_name_a_track_and_an_artist():
    names = [*WHOLE, *PARTS, "blues00000.png", "blues.00000.3.png"]
    assert set(track_groups(names)) == {"blues.00000"}
    assert set(artist_groups(names)) == {"John Lee Hooker"}


def test_gtzan_is_loaded_with_names_of_every_form(tmp_path):
    for i, name in enumerate(WHOLE):
        fabricate(tmp_path / str(i), [f"blues/{name}"])
        tracks = load_gtzan(tmp_path / str(i))
        assert tracks.data == [str(tmp_path / str(i) / "blues" / name)]
        assert tracks.track_ids.tolist() == ["blues.00000"]
        assert tracks.groups.tolist() == ["John Lee Hooker"]


def test_hip_hop_of_gtzan_is_known_in_every_spelling():
    names = ["hip-hop.00016.wav", "Hip Hop 00016.wav", "2_hip_hop.00016_3.wav"]
    assert track_groups(names).tolist() == ["hiphop.00016"] * 3


@pytest.mark.parametrize("name", ["0_blues.00000.wav", "part3_blues.00000.wav"])
def test_a_number_before_the_name_of_gtzan_is_that_of_a_part(tmp_path, name):
    fabricate(tmp_path, [f"blues/{name}", "blues/gtzan_blues.00001.wav"])
    assert load_gtzan(tmp_path).track_ids.tolist() == ["blues.00001"]


@LOADERS
def test_parts_of_gtzan_by_letters_belong_to_the_artist(tmp_path, groups):
    names = ["blues.00000a.wav", "blues.00000b.wav", "blues.00001_seg_a.wav"]
    found = groups(tmp_path, *(f"blues/{name}" for name in names), "blues/other.wav")
    assert found[:3] == ["John Lee Hooker"] * 3


@LOADERS
def test_parts_of_an_unknown_artist_are_one_track(tmp_path, groups):
    found = groups(tmp_path, *(f"jazz/jazz.00054_{i}.wav" for i in range(3)))
    assert found == ["jazz.00054"] * 3


# ---------------------------------------------------------------- names of any other track


@pytest.mark.parametrize(
    ("track", "part"),
    [
        *(("song", "song_part{}"), ("My song", "My song - segment {}"), ("x", "x.chunk0{}")),
        *(("song", "song (clip {} of 9)"), ("song", "song_seg-{}"), ("song", "Song_Split_{}")),
        *(("song", "song_window{}_1"), ("song", "song_part1_slice{}"), ("song 2", "song 2 part{}")),
        *(("track012", "track012_{}"), ("000123", "000123-{}"), ("song12", "song12_0{}")),
        *(("a.00016", "a.00016.{}"), ("take 7", "take 7 ({})"), ("take 7", "take 7 [{}]")),
        *(("track_12", "track_12_{}"), ("song12", "song12_{}_of_9"), ("song12", "song12_{}-30")),
        *(("2019-05-04", "2019-05-04_{}"), ("song12", "song12part{}"), ("7", "7_{}_copy")),
        *(("song", "song_{}_of_9"), ("song", "songPart{}"), ("track012", "track012_p{}")),
        *(("track012", "part{}_track012"), ("song", "Chunk {} of 9 - song"), ("16", "16_0{}")),
        *(("track_12", "segment{}-track_12"), ("song", "song_sample{}"), ("song", "song_start{}")),
        *(("track012", "track012_crop{}"), ("track012", "track012_block{}"), ("7", "7_t{}0")),
        *(("track012", "track012_start{}0"), ("track012", "track012_offset_{}")),
        *(("track012", "track012_other{}"), ("000123", "000123_other{}"), ("song", "song_seg_{a}")),
        *(
            ("track012", "track012-00m0{}s"),
            ("track012", "track012,{}"),
            ("track012", "track012+{}"),
        ),
        *(("track012", "track012_{}s-9s"), ("track012", "track012_other_{a}")),
        *(("track012", "track012{a}"), ("track012", "track012-{a}"), ("track012", "track012{a}_1")),
        *(
            ("My song12", "My song12_0{}"),
            ("a.00016", "a.00016.{}.0"),
            ("song", "song_{}-{next}"),
            ("song", "song_{}5-{after}5"),
            ("song", "song_{}.0-{next}.0"),
            ("track012", "track012~{}"),
        ),
        *(("song", "song_{}m00s-{next}m00s"), ("16-00", "16-00_{}")),
    ],
)
def test_parts_belong_to_their_track(tmp_path, track, part):
    names = [
        *(f"rock/{part.format(i, a='_abc'[i], next=i + 1, after=i + 2)}.wav" for i in range(1, 4)),
        f"rock/{track}.mp3",
    ]
    found = groups(tmp_path, *names, "rock/elsewhere.wav")
    assert len(set(found[:4])) == 1
    assert found[4] != found[0]


@pytest.mark.parametrize(
    "name",
    [
        *("1-0{}", "2.1{}", "01 0{}", "1-0{} Title", "01 - 0{} Title", "2019-05-0{}"),
        *("Live 2019.05.0{}", "song {}", "track_1{}", "Symphony No. {}", "part{}", "0{}"),
        *("00000{}", "rock ({})", "Partita {}", "song (take {})"),
        *("Top 100 - 0{}", "Best of 1990 - 0{}", "Studio 54-0{}", "Studio 54_0{}", "Hits 99 0{}"),
        *("Best of 1990.0{}", "disc1-0{}", "cd2_track0{}", "Vol.3-0{}", "01_song{}", "{}_track012"),
        *(
            "song_{a}",
            "Side {a}",
            "track01{}a",
            "song_{}-9",
            "song_{}-{b}",
            "album1_track0{}",
            "01_mambo{}",
        ),
    ],
)
def test_a_number_alone_makes_no_part(tmp_path, name):
    # The other track keeps the rule on genres of one track out of this.
    names = [f"rock/{name.format(i, a='_abc'[i], b=i + 4)}.wav" for i in range(1, 4)]
    found = groups(tmp_path, *names, "rock/elsewhere.wav")
    assert len(set(found[:3])) == 3


@pytest.mark.parametrize("name", ["Top100-0{}", "track012_{}", "track012{a}", "7 ({})"])
@LOADERS
def test_numbers_do_not_make_one_track_of_a_genre(tmp_path, groups, name):
    names = [f"any/{name.format(i, a='_abc'[i])}.wav" for i in range(1, 4)]
    assert len(set(groups(tmp_path, *names))) == 3


def test_numbers_make_parts_in_other_genres_than_that_of_one_track(tmp_path):
    rock = [f"rock/Top100-0{i}.wav" for i in range(3)]
    jazz = [f"jazz/track0{i}_{j}.wav" for i in range(2) for j in range(3)]
    found = groups(tmp_path, *rock, *jazz)
    assert len(set(found[:3])) == 3
    assert found[3:] == ["jazz/track00"] * 3 + ["jazz/track01"] * 3


@LOADERS
def test_words_make_parts_even_if_a_genre_is_one_track(tmp_path, groups):
    assert len(set(groups(tmp_path, *(f"any/song_part{i}.wav" for i in range(3))))) == 1


@pytest.mark.parametrize(
    "copy",
    [
        *("song.wav", "song.mp3.wav", "SONG.flac", "Song - Copy.mp3", "song_copy.mp3"),
        *(
            "Copy of song.mp3",
            "song (another copy).mp3",
            "song (1).mp3",
            "song(2).mp3",
            "song - Copie (2).mp3",
        ),
    ],
)
def test_copies_and_other_formats_belong_to_the_original(tmp_path, copy):
    first, second = groups(tmp_path, "rock/song.mp3", f"rock/{copy}")
    assert first == second


@LOADERS
def test_tracks_of_equal_names_in_other_folders_are_others(tmp_path, groups):
    first, second = groups(tmp_path, "rock/song_part1.mp3", "pop/song_part2.mp3")
    assert first != second


def test_a_folder_is_the_track_of_its_parts_in_a_table(tmp_path):
    found = groups_of_table(tmp_path, "song1/chunk_1.wav", "song1/chunk_2.wav", "song2/chunk_1.wav")
    assert found == [str(tmp_path / "song1")] * 2 + [str(tmp_path / "song2")]


@LOADERS
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_tracks_are_compared_like_artists(tmp_path, groups, form):
    first, second = groups(
        tmp_path, "rock/Ä_part1.mp3", f"rock/{unicodedata.normalize(form, 'ä_part2')}.mp3"
    )
    assert first == second


# ---------------------------------------------------------------- whether artists are known


@pytest.mark.parametrize(
    ("n_known", "names"),
    [
        (0, ["rock/a.wav", "rock/b.wav"]),
        (0, ["rock/a_part1.wav", "rock/A_part2.wav", "rock/a.mp3", "rock/b.wav"]),
        (0, [f"rock/track{i}_{j}.wav" for i in range(3) for j in range(3)]),
        (0, ["rock/One/a.wav", *(f"rock/{i}.wav" for i in range(23))]),
        (0, ["rock/One/a.wav", "rock/One/a - Copy.wav", "rock/One/a_part2.wav", "rock/b.wav"]),
        (0, [f"rock/CD{i}/{j}.wav" for i in range(4) for j in range(3)]),
        (0, [f"rock/Various Artists/{j}.wav" for j in range(3)]),
        (0, [f"rock/track012/track012_{j}.wav" for j in range(3)]),
        (0, [f"rock/song12/segment {j}.wav" for j in range(3)]),
        (2, ["rock/One/disc1-01.wav", "rock/One/disc1-02.wav", "rock/Two/disc1-01.wav"]),
        (3, [f"rock/One/Top100-0{j}.wav" for j in range(3)]),
        (2, ["rock/One/a.wav", "rock/one/b.wav", "rock/c.wav"]),
        (0, ["jazz/jazz.00054_1.wav", "jazz/jazz.00054_2.wav"]),
        (2, ["blues/blues.00000.wav", "blues/blues_00001.wav", "rock/c.wav"]),
    ],
)
def test_whether_a_folder_tells_artists(tmp_path, n_known, names):
    fabricate(tmp_path, names)
    tracks = load_folder(tmp_path)
    assert count_known_artists(tracks.data, tracks.groups) == n_known


@pytest.mark.parametrize(
    ("n_known", "artists"),
    [
        *((0, None), (0, ["", "", ""]), (0, ["T1", "T1", "T2"]), (0, ["Unknown"] * 3)),
        *((0, ["x", "y", "z"]), (2, ["x", "y", "x"]), (3, ["x", "x", "x"])),
    ],
)
def test_whether_a_table_tells_artists(tmp_path, n_known, artists):
    names = ["a_part1.wav", "a_part2.wav", "b.wav"]
    fabricate(tmp_path, names)
    table = pd.DataFrame({"path": names, "genre": "rock", "artist": artists})
    table.to_csv(tmp_path / "t.csv", index=False)
    tracks = load_table(tmp_path / "t.csv", group="artist" if artists else None)
    assert count_known_artists(tracks.data, tracks.groups) == n_known


@pytest.mark.parametrize(
    ("n_known", "names", "groups"),
    [
        (0, ["a.wav", "b.wav", "c.wav"], np.arange(3)),
        (0, ["a.wav", "b.wav", "c.wav"], ["0", "1", "2"]),
        (0, ["a.wav", "b.wav", "c.wav"], ["T1", "T2", "T3"]),
        (0, ["track012_1.wav", "track012_2.wav", "b.wav"], ["T1", "T1", "T2"]),
        (2, ["a.wav", "b.wav", "c.wav"], np.array([0, 0, 1])),
        (0, ["blues.00000", "blues.00002"], ["John Lee Hooker", "other"]),
        (0, ["blues.00000", "jazz.00054"], ["blues.00000", "jazz.00054"]),
        (2, ["blues.00000", "blues.00001"], ["John Lee Hooker"] * 2),
        (0, ["blues.00000.0.wav", "blues.00000.1.wav"], ["blues.00000"] * 2),
        (0, [], []),
    ],
)
def test_whether_groups_tell_artists(n_known, names, groups):
    assert count_known_artists(names, groups) == n_known
