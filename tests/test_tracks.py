from pathlib import Path

import pytest

from skgenre.datasets import artist_groups, filtered_split, track_groups
from skgenre.datasets._groups import gtzan_table
from skgenre.datasets._names import GTZAN_GENRES
from skgenre.features import GTZAN_FEATURES


def test_artists():
    artists = gtzan_table("artists")
    assert len(artists) == 919  # Sturm, 2012, with later corrections
    assert all(track.partition(".")[0] in GTZAN_GENRES for track in artists)
    assert all(artists.values())
    assert artists["reggae.00000"] == "Bob Marley"
    with pytest.raises(TypeError):
        artists["blues.00000"] = "nobody"


def test_faults():
    assert dict(gtzan_table("faults")) == {"jazz.00054": "corrupt"}


def test_filtered_split():
    parts = gtzan_table("filtered_split")
    counts = {part: list(parts.values()).count(part) for part in ("train", "valid", "test")}
    assert counts == {"train": 443, "valid": 197, "test": 290}  # Kereliuk et al., 2015
    assert parts["jazz.00054"] == "train"
    for genre in GTZAN_GENRES:
        assert 80 <= sum(track.startswith(genre) for track in parts) <= 100


def test_columns_of_the_tables():
    assert len(GTZAN_FEATURES) == len(set(GTZAN_FEATURES)) == 57
    assert GTZAN_FEATURES[:3] == ("chroma_stft_mean", "chroma_stft_var", "rms_mean")
    assert GTZAN_FEATURES[16:18] == ("tempo", "mfcc1_mean")
    assert GTZAN_FEATURES[-1] == "mfcc20_var"


@pytest.mark.parametrize(
    "name",
    [
        "blues.00042",
        "blues.00042.wav",
        "blues.00042.3.wav",
        "BLUES.00042.AU",
        "genres/blues/blues.00042.au",
        "C:\\genres\\blues\\blues.00042.wav",
        Path("genres") / "blues.00042.flac",
        "C:\\genres\\blues.00042\\3.wav",
    ],
)
def test_names_that_people_have(name):
    assert track_groups([name]).tolist() == ["blues.00042"]


def test_parts_of_a_track_are_one_group():
    names = [f"jazz.00001.{i}.wav" for i in range(10)] + ["jazz.00010.1.wav"]
    assert track_groups(names).tolist() == ["jazz.00001"] * 10 + ["jazz.00010"]
    assert artist_groups(names).tolist() == ["Leonard Bernstein"] * 10 + [
        gtzan_table("artists")["jazz.00010"]
    ]


@pytest.mark.parametrize("form", ["{}.ogg", "{}_part0.wav", "{} (1).wav", "{}/0.wav"])
def test_the_filtered_split_knows_the_forms_of_names(form):
    names = [form.format(track) for track in ("blues_00029", "blues.00000", "blues-00012")]
    [(train, test)] = filtered_split(names, test=("valid",))
    assert (train.tolist(), test.tolist()) == ([0], [1])


def test_unknown_artists_are_groups_of_their_own():
    assert "jazz.00054" not in gtzan_table("artists")
    assert artist_groups(["jazz.00054.au"]).tolist() == ["jazz.00054"]


@pytest.mark.parametrize(
    "name",
    [
        *("song.mp3", "opera.00001.wav", "blues.1.wav", "blues.00001.a.wav", "", None, 7),
        *("blues.000011.wav", "myblues.00001.wav", "blues.00001.txt"),
    ],
)
def test_names_that_are_not_gtzans(name):
    for groups in (track_groups, artist_groups):
        with pytest.raises(ValueError, match=rf"1 of 2 names are not.*\['{name}'\].*blues\.00000"):
            groups(["rock.00001.wav", name])


def test_a_single_name_is_a_mistake():
    with pytest.raises(TypeError, match=r"single name 'blues\.00001'"):
        track_groups("blues.00001")


def test_no_names():
    assert track_groups([]).shape == (0,)
