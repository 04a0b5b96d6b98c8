import logging
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skgenre import MFCCSegmenter, SegmentSummary
from skgenre.datasets import list_audio, load_folder, load_gtzan, make_tracks
from skgenre.datasets._names import GTZAN_GENRES

# ---------------------------------------------------------------- folders


def test_a_folder_of_genre_folders(tmp_path):
    names = ["rock/The Who/Tommy/1.MP3", "rock/The Who/2.flac", "jazz/a.m4a", "jazz/b.wav"]
    junk = ["cover.jpg", "loose.mp3", "jazz/._a.m4a", "jazz/notes.txt", ".trash/old.mp3"]
    fabricate(tmp_path, names + junk)
    tracks = load_folder(tmp_path)
    assert [str(Path(path).relative_to(tmp_path)) for path in tracks.data] == [
        *("jazz/a.m4a", "jazz/b.wav"),
        *("rock/The Who/2.flac", "rock/The Who/Tommy/1.MP3"),
    ]
    assert tracks.target.tolist() == ["jazz", "jazz", "rock", "rock"]
    assert tracks.target_names == ["jazz", "rock"]
    assert tracks.groups.tolist() == ["jazz/a", "jazz/b", "the who", "the who"]
    assert len(list_audio(tmp_path)) == 5


def test_a_folder_groups_gtzan_by_artist(tmp_path):
    fabricate(tmp_path, NAMES)
    tracks = load_folder(tmp_path)
    gtzan = load_gtzan(tmp_path)
    assert tracks.data == gtzan.data
    assert tracks.groups.tolist() == gtzan.groups.tolist()


def test_folders_without_genres(tmp_path):
    with pytest.raises(NotADirectoryError, match="nowhere is not a folder"):
        load_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no genre folders with audio \(no audio\)"):
        load_folder(tmp_path)
    fabricate(tmp_path, ["song.mp3"])
    with pytest.raises(ValueError, match="its 1 audio files are not in genre folders"):
        load_folder(tmp_path)


def test_a_genre_folder_of_a_blank_name(tmp_path):
    fabricate(tmp_path, [" /song.mp3"])
    with pytest.raises(ValueError, match=r"genre folder of .*song\.mp3 is blank; rename"):
        load_folder(tmp_path)


# ---------------------------------------------------------------- symbolic links


def relative(folder, paths):
    return [os.path.relpath(path, folder) for path in paths]


def test_a_genre_folder_can_be_a_link(tmp_path):
    fabricate(tmp_path, ["music/rock/a.wav", "elsewhere/b.wav", "elsewhere/sub/c.wav"])
    (tmp_path / "music" / "Jazz").symlink_to(tmp_path / "elsewhere")
    tracks = load_folder(tmp_path / "music")
    listed = ["Jazz/b.wav", "Jazz/sub/c.wav", "rock/a.wav"]
    assert relative(tmp_path / "music", tracks.data) == listed
    assert tracks.target.tolist() == ["jazz", "jazz", "rock"]


def test_a_link_to_a_file_is_listed_by_its_own_name(tmp_path):
    fabricate(tmp_path, ["objects/1234", "music/jazz/a.wav"])
    (tmp_path / "music" / "jazz" / "b.flac").symlink_to("../../objects/1234")
    (tmp_path / "music" / "jazz" / "cover").symlink_to("a.wav")
    found = list_audio(tmp_path / "music")
    assert relative(tmp_path / "music", found) == ["jazz/a.wav", "jazz/b.flac"]


@pytest.mark.parametrize("target", ["../rock/z.wav", "../rock"], ids=["file", "folder"])
def test_a_file_that_is_reached_twice_counts_once_in_its_real_folder(tmp_path, target):
    fabricate(tmp_path, ["jazz/a.wav", "rock/z.wav"])
    (tmp_path / "jazz" / "again.wav").symlink_to(target)
    assert relative(tmp_path, list_audio(tmp_path)) == ["jazz/a.wav", "rock/z.wav"]


def test_a_file_outside_that_is_reached_twice_counts_once_by_the_first_link(tmp_path):
    fabricate(tmp_path, ["outside/x.wav", "music/rock/a.wav"])
    for genre in ("soul", "jazz"):
        (tmp_path / "music" / genre).symlink_to(tmp_path / "outside")
    (tmp_path / "music" / "rock" / "x.wav").symlink_to(tmp_path / "outside" / "x.wav")
    found = list_audio(tmp_path / "music")
    assert relative(tmp_path / "music", found) == ["jazz/x.wav", "rock/a.wav"]


def test_hard_links_are_files_of_their_own(tmp_path):
    fabricate(tmp_path, ["jazz/a.wav"])
    (tmp_path / "jazz" / "b.wav").hardlink_to(tmp_path / "jazz" / "a.wav")
    assert relative(tmp_path, list_audio(tmp_path)) == ["jazz/a.wav", "jazz/b.wav"]


def test_links_in_the_target_of_a_link_are_followed(tmp_path):
    fabricate(tmp_path, ["music/rock/a.wav", "second/b.wav"])
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "sub").symlink_to(tmp_path / "second")
    (tmp_path / "music" / "jazz").symlink_to(tmp_path / "first")
    found = list_audio(tmp_path / "music")
    assert relative(tmp_path / "music", found) == ["jazz/sub/b.wav", "rock/a.wav"]


@pytest.mark.parametrize(
    "target", [".", "../..", "link", "../rock", "nowhere"], ids=lambda target: target
)
def test_circles_and_broken_links_are_ignored(tmp_path, target):
    fabricate(tmp_path, ["other.wav", "music/jazz/a.wav", "music/rock/b.wav"])
    for folder in ("jazz", "rock"):
        (tmp_path / "music" / folder / "link").symlink_to(target)
    (tmp_path / "music" / "jazz" / "broken.wav").symlink_to(target + "/nothing.wav")
    found = list_audio(tmp_path / "music")
    assert relative(tmp_path / "music", found) == ["jazz/a.wav", "rock/b.wav"]


def test_hidden_links_are_ignored(tmp_path):
    fabricate(tmp_path, ["music/jazz/a.wav", "outside/b.wav"])
    (tmp_path / "music" / ".link").symlink_to(tmp_path / "outside")
    assert relative(tmp_path / "music", list_audio(tmp_path / "music")) == ["jazz/a.wav"]


# ---------------------------------------------------------------- folders that cannot be read


@pytest.fixture
def forbid(monkeypatch):
    """Return a function that makes folders unreadable, also for root."""
    scandir, forbidden = os.scandir, set()

    def refuse(path="."):
        if os.fspath(path) in forbidden:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    return lambda *folders: forbidden.update(map(str, folders))


@pytest.mark.parametrize("loader", [list_audio, load_folder, load_gtzan])
def test_folders_that_cannot_be_read_are_named_once(tmp_path, forbid, loader):
    fabricate(tmp_path, ["blues/blues.00000.wav", "jazz/jazz.00001.wav", "rock/rock.00001.wav"])
    forbid(tmp_path / "jazz", tmp_path / "rock")
    message = r"Folders of .* cannot be read: .*/jazz \(Permission denied\), .*/rock \(Perm"
    with pytest.warns(UserWarning, match=message) as warned:
        found = loader(tmp_path)
    assert len(warned) == 1
    paths = found if loader is list_audio else found.data
    assert relative(tmp_path, paths) == ["blues/blues.00000.wav"]


@pytest.mark.parametrize("loader", [list_audio, load_folder, load_gtzan])
def test_the_folder_itself_cannot_be_read(tmp_path, forbid, loader):
    fabricate(tmp_path, ["blues/blues.00000.wav"])
    forbid(tmp_path)
    with pytest.raises(PermissionError, match="Permission denied"):
        loader(tmp_path)


def test_the_target_of_a_link_cannot_be_read(tmp_path, forbid):
    fabricate(tmp_path, ["music/rock/a.wav", "outside/b.wav"])
    (tmp_path / "music" / "jazz").symlink_to(tmp_path / "outside")
    forbid(tmp_path / "music" / "jazz")
    with pytest.warns(UserWarning, match=r"Folders of .*music/jazz \(Permission denied\)\. Their"):
        assert len(list_audio(tmp_path / "music")) == 1


# ---------------------------------------------------------------- GTZAN


def fabricate(root, names):
    """Lay out a collection; listing it reads no audio."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


NAMES = ["rock/rock.00001.wav", "blues/blues.00010.wav", "blues/blues.00002.wav"]
JUNK = ["blues/.DS_Store", "blues/notes.txt", "blues/blues.2.wav", "opera/opera.00001.wav"]


@pytest.mark.parametrize("inner", ["", "genres", "genres_original", "Data/genres_original"])
def test_layouts_that_people_have(tmp_path, inner):
    fabricate(tmp_path / inner, NAMES + JUNK)
    tracks = load_gtzan(tmp_path)
    assert tracks.track_ids.tolist() == ["blues.00002", "blues.00010", "rock.00001"]
    assert tracks.data == [str(tmp_path / inner / n) for n in (NAMES[2], NAMES[1], NAMES[0])]
    assert tracks.target.tolist() == ["blues", "blues", "rock"]
    assert tracks.target_names == ["blues", "rock"]
    assert tracks.groups[0] == tracks.groups[1] == "John Lee Hooker"
    assert "3 of 1,000" in tracks.DESCR


@pytest.mark.parametrize("suffix", ["au", "flac", "mp3", "opus", "au.wav", "WAV"])
def test_formats(tmp_path, suffix):
    fabricate(tmp_path, [f"jazz/jazz.00054.{suffix}", "jazz/jazz.00001.wav"])
    tracks = load_gtzan(tmp_path)
    # Only the wav of the common download is corrupt.
    assert len(tracks.data) == (1 if suffix == "WAV" else 2)


def test_one_track_in_two_formats_is_one_track(tmp_path):
    fabricate(tmp_path, ["pop/pop.00001.wav", "pop/pop.00001.au"])
    assert load_gtzan(tmp_path).data == [str(tmp_path / "pop" / "pop.00001.au")]


def test_a_track_and_its_copy_are_one_track(tmp_path):
    fabricate(tmp_path, ["pop/pop.00001 (1).wav", "pop/pop.00001.wav", "pop/pop_00001.au.wav"])
    assert load_gtzan(tmp_path).data == [str(tmp_path / "pop" / "pop.00001.wav")]


def test_genre_folders_of_gtzan_in_any_case(tmp_path):
    fabricate(tmp_path, ["Pop/pop.00001.wav", "pop/pop.00002.wav"])
    assert load_gtzan(tmp_path).track_ids.tolist() == ["pop.00001", "pop.00002"]


def test_parts_alone_are_not_gtzan(tmp_path):
    fabricate(tmp_path, ["pop/pop.00001_0.wav", "pop/pop.00001_1.wav"])
    with pytest.raises(FileNotFoundError, match="contains 2 parts of tracks: use load_folder"):
        load_gtzan(tmp_path)


def test_the_corrupt_file_is_left_out_logged_and_listed(tmp_path, caplog):
    fabricate(tmp_path, ["jazz/jazz.00054.wav", "jazz/jazz.00055.wav"])
    with caplog.at_level(logging.INFO, logger="skgenre"):
        tracks = load_gtzan(tmp_path)
    assert tracks.track_ids.tolist() == ["jazz.00055"]
    assert tracks.excluded == [str(tmp_path / "jazz" / "jazz.00054.wav")]
    assert "jazz.00054.wav: corrupt" in caplog.text


def test_the_folder_comes_from_the_environment(tmp_path, monkeypatch):
    fabricate(tmp_path, NAMES)
    monkeypatch.setenv("SKGENRE_GTZAN", str(tmp_path))
    assert len(load_gtzan().data) == 3
    monkeypatch.delenv("SKGENRE_GTZAN")
    with pytest.raises(FileNotFoundError, match=r"No folder given.*set SKGENRE_GTZAN.*make_tracks"):
        load_gtzan()


def test_folders_without_tracks(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*missing.*Unpack one"):
        load_gtzan(tmp_path / "missing")
    with pytest.raises(
        FileNotFoundError, match=r"contains no GTZAN tracks: expected folders named"
    ):
        load_gtzan(tmp_path)


def test_real_collections(gtzan):
    tracks = load_gtzan(gtzan)
    assert len(tracks.data) == 14
    assert len(tracks.excluded) == 1
    assert len(load_gtzan(gtzan / "three_genres").data) == 140
    assert set(load_gtzan(gtzan / "ten_genres_15s").target) == set(GTZAN_GENRES)


# ---------------------------------------------------------------- synthetic tracks


def test_tracks_are_real_audio_files(tmp_path):
    tracks = make_tracks(3, genres=2, duration=1.5, artists_per_genre=2, folder=tmp_path)
    assert len(tracks.data) == 6
    for path in tracks.data:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (22050, 1, "PCM_16")
        assert info.frames == 33075
        y, _ = soundfile.read(path)
        assert 0.5 < np.abs(y).max() < 1
    assert tracks.target.tolist() == ["blues"] * 3 + ["classical"] * 3
    assert tracks.groups.tolist()[:3] == ["blues_artist_0", "blues_artist_1", "blues_artist_0"]
    assert "SYNTHETIC" in tracks.DESCR
    listed = load_folder(tmp_path)
    assert set(zip(listed.data, listed.target, listed.groups, strict=True)) == set(
        zip(tracks.data, tracks.target, tracks.groups, strict=True)
    )


def test_seeds(tmp_path):
    def contents(name, seed):
        tracks = make_tracks(
            1, genres=["jazz"], duration=1, random_state=seed, folder=tmp_path / name
        )
        return Path(tracks.data[0]).read_bytes()

    assert contents("a", 0) == contents("b", 0)
    assert contents("a", 0) != contents("c", 1)
    state = np.random.get_state()[1].copy()
    contents("d", 3)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"genres": ["opera"]}, r"genres=\['opera'\] must be"),
        ({"genres": 11}, "genres=11 must be an integer from 1 to 10"),
        ({"genres": []}, r"genres=\[\]"),
        ({"duration": 0}, "duration=0"),
        ({"artists_per_genre": 0}, "artists_per_genre=0"),
    ],
)
def test_bad_requests_write_nothing(tmp_path, kwargs, message):
    with pytest.raises(ValueError, match=message):
        make_tracks(1, folder=tmp_path / "new", **kwargs)
    assert not os.listdir(tmp_path)


@pytest.mark.slow
def test_synthetic_music_is_as_hard_as_it_should_be(tmp_path):
    """Well above chance and below 1 by track, and lower by artist, as on real data."""
    tracks = make_tracks(10, duration=9, artists_per_genre=5, random_state=0, folder=tmp_path)
    X = MFCCSegmenter().transform(tracks.data)
    model = make_pipeline(SegmentSummary(), StandardScaler(), SVC(C=10))
    by_track = cross_val_score(
        model, X, tracks.target, cv=StratifiedKFold(5, shuffle=True, random_state=0)
    ).mean()
    by_artist = cross_val_score(
        model,
        X,
        tracks.target,
        groups=tracks.groups,
        cv=StratifiedGroupKFold(5, shuffle=True, random_state=0),
    ).mean()
    assert 0.3 < by_track < 0.95  # chance is 0.1
    assert 0.2 < by_artist < by_track - 0.1
