"""Collections as tables and by tags, and what all loaders share."""

import os
import sys
import unicodedata

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from skgenre.cli import main
from skgenre.datasets import (
    load_folder,
    load_gtzan,
    load_table,
    make_tracks,
)

mutagen = pytest.importorskip("mutagen", reason="needs mutagen, of the extra tags")


def write_table(folder, lines, name="tracks.csv", encoding="utf-8"):
    """Write a table; the files that it names need not hold audio."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


@pytest.fixture
def table(tmp_path):
    for name in ("a.mp3", "b.flac", "sub/c.wav", "d.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    lines = ["id,file,label,artist", "7,b.flac,rock,Björk", "8,sub/c.wav,jazz,", "9,a.mp3,rock,NA"]
    return write_table(tmp_path, lines)


COLUMNS = {"path": "file", "target": "label", "group": "artist"}


# ---------------------------------------------------------------- tables


def test_a_table_in_its_order(table):
    tracks = load_table(table, **COLUMNS)
    folder = table.parent
    assert tracks.data == [str(folder / name) for name in ("b.flac", "sub/c.wav", "a.mp3")]
    assert tracks.target.tolist() == ["rock", "jazz", "rock"]
    assert tracks.target_names == ["jazz", "rock"]
    # No artist is a group of the track alone; NA is a name like any other.
    assert tracks.groups.tolist() == ["Björk", str(folder / "sub" / "c"), "NA"]
    assert tracks.frame["id"].tolist() == ["7", "8", "9"]


def test_without_a_group_each_track_is_one_but_gtzans(tmp_path):
    for name in ("blues.00000.wav", "blues.00001.wav", "x.wav"):
        (tmp_path / name).touch()
    lines = ["path,genre", "blues.00000.wav,blues", "blues.00001.wav,blues", "x.wav,pop"]
    groups = load_table(write_table(tmp_path, lines)).groups.tolist()
    assert groups == ["John Lee Hooker", "John Lee Hooker", str(tmp_path / "x")]


def test_paths_are_relative_to_the_table_not_to_the_working_folder(table, monkeypatch):
    monkeypatch.chdir(table.parent.parent)
    relative = os.path.join(table.parent.name, table.name)
    assert all(os.path.isfile(path) for path in load_table(relative, **COLUMNS).data)


def test_absolute_paths(tmp_path, table):
    lines = ["path,genre", f"{table.parent / 'a.mp3'},rock"]
    (tmp_path / "elsewhere").mkdir()
    tracks = load_table(write_table(tmp_path / "elsewhere", lines))
    assert tracks.data == [str(table.parent / "a.mp3")]


def test_tabs_and_a_byte_order_mark(table):
    lines = ["path\tgenre", "a.mp3\trock, loud"]
    tracks = load_table(write_table(table.parent, lines, "t.tsv", "utf-8-sig"))
    assert tracks.target.tolist() == ["rock, loud"]


def test_numbers_as_genres_stay_as_they_are_written(table):
    tracks = load_table(write_table(table.parent, ["path,genre", "a.mp3,01", "b.flac,1"]))
    assert tracks.target_names == ["01", "1"]


@pytest.mark.parametrize(
    ("lines", "error", "message"),
    [
        (["path,style", "a.mp3,x"], ValueError, r"no column 'genre'; it has \['path', 'style'\].*"),
        (
            ["path,genre", "a.mp3,x", "b.flac, "],
            ValueError,
            r"1 of the 2 rows .* 'genre': rows 3",
        ),
        (["path,genre", "a.mp3"], ValueError, r"no 'genre': rows 2\. Fill them in"),
        (["path;genre", "a.mp3;x"], ValueError, r"has \['path;genre'\].* separated by commas"),
        (["path,genre", ",rock"], ValueError, r"no 'path': rows 2"),
        (["path,genre", "a.mp3,x", "./a.mp3,y"], ValueError, r"an earlier row: rows 3"),
        (["path,genre"], ValueError, "has no rows below"),
        ([""], ValueError, "is not a CSV table in UTF-8"),
        (
            ["path,genre", "no.mp3,x", "a.mp3,x"],
            FileNotFoundError,
            r"1 of the 2 .*no\.mp3 in rows 2",
        ),
    ],
)
def test_tables_that_cannot_be_used(table, lines, error, message):
    with pytest.raises(error, match=message):
        load_table(write_table(table.parent, lines, "wrong.csv"))


def test_a_file_is_listed_twice_through_a_link(table):
    (table.parent / "link.mp3").symlink_to("a.mp3")
    lines = ["path,genre", "a.mp3,rock", "b.flac,rock", "link.mp3,rock"]
    with pytest.raises(ValueError, match="repeat the file of an earlier row: rows 4"):
        load_table(write_table(table.parent, lines))


def test_groups_of_a_table_are_compared_like_artists(table):
    name = unicodedata.normalize("NFD", "BJÖRK")
    lines = ["file,label,artist", "a.mp3,pop,Björk", f"b.flac,pop,{name} ", "d.wav,pop,Can"]
    assert load_table(write_table(table.parent, lines), **COLUMNS).groups.tolist() == [
        *("Björk", "Björk", "Can")
    ]


def test_parts_without_a_group_in_a_table_stay_together(tmp_path):
    names = ["x_part1.wav", "x_part2.wav", "blues.00000.wav", "y.wav"]
    for name in names:
        (tmp_path / name).touch()
    lines = ["file,label,artist", *(f"{name},pop," for name in names[:3]), "y.wav,pop,Can"]
    groups = load_table(write_table(tmp_path, lines), **COLUMNS).groups.tolist()
    assert groups == [str(tmp_path / "x")] * 2 + ["John Lee Hooker", "Can"]


def test_only_the_first_of_many_wrong_rows_are_named(table):
    lines = ["path,genre", *["a.mp3,"] * 7]
    with pytest.raises(ValueError, match=r"7 of the 7 .* rows 2, 3, 4, 5, 6, \.\.\.\. Fill"):
        load_table(write_table(table.parent, lines))


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no table .*none\.csv"):
        load_table(tmp_path / "none.csv")


# ---------------------------------------------------------------- what loaders share


def load_some(loader, folder, **arguments):
    """Two tracks of rock and one of blues, by each loader."""
    names = ["blues/blues.00001.wav", "rock/rock.00001.wav", "rock/rock.00002.wav"]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    if loader is load_table:
        lines = ["path,genre", *(f"{name},{name.split('/')[0]}" for name in names)]
        folder = write_table(folder, lines)
    return loader(folder, **arguments)


LOADERS = pytest.mark.parametrize("loader", [load_folder, load_gtzan, load_table])


@LOADERS
def test_X_and_y_alone(tmp_path, loader):
    tracks = load_some(loader, tmp_path)
    X, y = load_some(loader, tmp_path, return_X_y=True)
    assert tracks.data == X
    assert y.tolist() == tracks.target.tolist() == ["blues", "rock", "rock"]


@LOADERS
def test_genres_with_few_tracks_are_left_out_of_all(tmp_path, loader):
    tracks = load_some(loader, tmp_path, min_tracks=2)
    assert tracks.target.tolist() == ["rock", "rock"]
    assert tracks.target_names == ["rock"]
    assert tracks.excluded == [str(tmp_path / "blues" / "blues.00001.wav")]
    rows = [name for name in ("groups", "track_ids", "frame") if name in tracks]
    assert [len(tracks[name]) for name in rows] == [2] * len(rows)


@LOADERS
def test_no_genre_with_as_many_tracks(tmp_path, loader):
    with pytest.raises(ValueError, match=r"min_tracks=3 tracks; it has blues 1, rock 2"):
        load_some(loader, tmp_path, min_tracks=3)


@LOADERS
def test_a_number_of_tracks_that_is_none(tmp_path, loader):
    with pytest.raises(ValueError, match="min_tracks=0 must be an int in the range"):
        load_some(loader, tmp_path, min_tracks=0)


# ---------------------------------------------------------------- tags


def write_tagged(path, genre=None, artist=None):
    """A second of silence, in the format of the ending, with tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(22050), 22050)
    file = mutagen.File(path, easy=True)
    if file.tags is None:
        file.add_tags()
    easy = not hasattr(file.tags, "getall")
    for name, frame, value in (("genre", "TCON", genre), ("artist", "TPE1", artist)):
        if value is not None and easy:
            file[name] = value
        elif value is not None:
            file.tags.add(getattr(mutagen.id3, frame)(text=[value]))
    file.save()
    return str(path)


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "wav", "aiff"])
def test_tags_of_each_format(tmp_path, suffix):
    write_tagged(tmp_path / f"a.{suffix}", "Hip-Hop", "Nas")
    tracks = load_folder(tmp_path, genre_from="tags")
    assert tracks.target.tolist() == ["hip-hop"]
    assert tracks.groups.tolist() == ["nas"]


def test_tags_whatever_the_folders(tmp_path):
    a = write_tagged(tmp_path / "z" / "a.flac", "Jazz", "Various Artists")
    b = write_tagged(tmp_path / "b.flac", ["jazz ", "Swing"])
    c = write_tagged(tmp_path / "c.mp3", "(17)", "Can")
    tracks = load_folder(tmp_path, genre_from="tags")
    assert dict(zip(tracks.data, tracks.target.tolist(), strict=True)) == {
        a: "jazz",
        b: "jazz",
        c: "rock",
    }
    groups = dict(zip(tracks.data, tracks.groups.tolist(), strict=True))
    assert groups == {a: "jazz/various artists", b: b.removesuffix(".flac"), c: "can"}


def test_files_without_a_genre_are_left_out_with_a_warning(tmp_path):
    write_tagged(tmp_path / "a.flac", "jazz")
    bare = write_tagged(tmp_path / "b.flac", artist="Can")
    (tmp_path / "c.mp3").write_bytes(b"junk")
    with pytest.warns(UserWarning, match=r"2 of the 3 audio files .* such as .*b\.flac"):
        tracks = load_folder(tmp_path, genre_from="tags")
    assert tracks.excluded == [bare, str(tmp_path / "c.mp3")]


def test_no_file_with_a_genre(tmp_path):
    write_tagged(tmp_path / "a.flac")
    with pytest.raises(ValueError, match=r"its 1 audio files have none.*genre_from='folder'"):
        load_folder(tmp_path, genre_from="tags")


def test_tags_without_mutagen(tmp_path, monkeypatch):
    (tmp_path / "a.mp3").touch()
    monkeypatch.setitem(sys.modules, "mutagen", None)
    with pytest.raises(ImportError, match=r"pip install skgenre\[tags\]"):
        load_folder(tmp_path, genre_from="tags")


def test_genres_from_nowhere(tmp_path):
    with pytest.raises(ValueError, match="genre_from='name' must be 'folder' or 'tags'"):
        load_folder(tmp_path, genre_from="name")


# ---------------------------------------------------------------- genres, from wherever


def genres_by_folder(folder, genres):
    for i, genre in enumerate(genres):
        (folder / genre).mkdir()
        (folder / genre / f"song {i}.wav").touch()
    tracks = load_folder(folder)
    return {os.path.basename(path): y for path, y in zip(tracks.data, tracks.target, strict=True)}


def genres_by_table(folder, genres):
    for i in range(len(genres)):
        (folder / f"song {i}.wav").touch()
    lines = ["path,genre", *(f"song {i}.wav,{genre}" for i, genre in enumerate(genres))]
    tracks = load_table(write_table(folder, lines))
    assert tracks.frame["genre"].tolist() == genres  # as written
    return {os.path.basename(path): y for path, y in zip(tracks.data, tracks.target, strict=True)}


def genres_by_tag(folder, genres):
    for i, genre in enumerate(genres):
        write_tagged(folder / f"song {i}.wav", genre)
    tracks = load_folder(folder, genre_from="tags")
    return {os.path.basename(path): y for path, y in zip(tracks.data, tracks.target, strict=True)}


@pytest.mark.parametrize("source", [genres_by_folder, genres_by_table, genres_by_tag])
@pytest.mark.parametrize(
    ("genres", "expected"),
    [
        (["Jazz", "jazz", " JAZZ "], "jazz"),
        ([unicodedata.normalize(form, "Forró") for form in ("NFC", "NFD")], "forró"),
        (["Hip  Hop", "hip hop"], "hip hop"),
        (["\uff32\uff2f\uff23\uff2b", "rock"], "rock"),
    ],
    ids=["case", "composition", "spaces", "width"],
)
def test_a_genre_is_one_however_it_is_written(tmp_path, source, genres, expected):
    assert source(tmp_path, genres) == {f"song {i}.wav": expected for i in range(len(genres))}


# ---------------------------------------------------------------- the command line


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A table of eight tracks, and the tracks."""
    folder = tmp_path_factory.mktemp("music")
    tracks = make_tracks(
        4, genres=["classical", "metal"], duration=6, artists_per_genre=2, folder=folder
    )
    lines = [
        f"{os.path.relpath(path, folder)},{genre},{artist}"
        for path, genre, artist in zip(tracks.data, tracks.target, tracks.groups, strict=True)
    ]
    write_table(folder, ["file,label,artist", *lines])
    return folder


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


COLUMN_OPTIONS = ("--path", "file", "--target", "label", "--group", "artist")


def test_train_on_a_table(music, tmp_path):
    result = run(
        *("train", music / "tracks.csv", *COLUMN_OPTIONS, "--preset", "knn"),
        *("-o", tmp_path / "m.skgenre"),
    )
    assert result.exit_code == 0, result.output
    assert "trained on 8 tracks: classical 4, metal 4." in result.output


def test_evaluate_a_table_by_its_groups(music):
    result = run("evaluate", music / "tracks.csv", *COLUMN_OPTIONS, "--preset", "knn")
    assert "accuracy on unseen artists (8 tracks" in result.output
    assert "mean of 2 folds" in result.output


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("", ["--group", "artist"], "--group requires a table, but"),
        ("tracks.csv", ["--genre-from", "tags"], "--genre-from=tags requires a folder"),
        ("tracks.csv", ["--path", "file"], "no column 'genre'"),
        ("none.csv", [], "There is no table"),
    ],
)
def test_sources_and_options_that_do_not_go_together(music, source, options, message):
    result = run("evaluate", music / source, *options)
    assert result.exit_code == 1
    assert message in result.output
