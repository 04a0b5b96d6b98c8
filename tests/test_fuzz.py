"""A fixed part of the fuzzing, and files that are built of well-formed parts."""

import contextlib
import json
import struct
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from skgenre import AudioError, ModelFileError, load, load_audio, make_baseline, save
from skgenre.datasets import load_gtzan_features
from skgenre.features import GTZAN_FEATURES

from . import fuzz


@pytest.mark.slow
def test_nothing_escapes_of_the_first_cases():
    outcomes, unexpected = fuzz.run(range(100))
    assert not unexpected
    assert outcomes.total() == 100
    assert len(outcomes) >= 6  # some are read, some refused, of each kind


sizes = st.one_of(st.integers(0, 64), st.sampled_from([0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]))
chunks = st.lists(
    st.tuples(
        st.sampled_from([b"fmt ", b"data", b"fact", b"LIST", b"JUNK", b"ds64", b"bext", b"cue "]),
        st.one_of(st.none(), sizes),  # what it says of its size, if not the truth
        st.binary(max_size=200),
    ),
    max_size=5,
)
formats = st.builds(
    lambda tag, channels, rate, align, bits: struct.pack(
        "<HHIIHH", tag, channels, rate, rate * align & 0xFFFFFFFF, align, bits
    ),
    st.sampled_from([1, 2, 3, 6, 7, 0x11, 0x31, 0x55, 0xFFFE]),
    st.integers(0, 65535) | st.integers(0, 9),
    st.sampled_from([0, 1, 8000, 22050, 192000, 0xFFFFFFFF]),
    st.integers(0, 16),
    st.sampled_from([0, 1, 4, 8, 12, 16, 24, 32, 64, 65535]),
)


@given(
    st.sampled_from([b"RIFF", b"RIFX", b"RF64"]),
    st.none() | sizes,
    formats,
    st.binary(max_size=4000),
    chunks,
    chunks,
)
def test_wav_files_of_any_parts(tmp_path_factory, kind, size, form, data, before, after):
    parts = [(b"fmt ", None, form), *before, (b"data", None, data), *after]
    body = b"WAVE" + b"".join(
        name + struct.pack("<I", len(content) if says is None else says) + content
        for name, says, content in parts
    )
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    path.write_bytes(kind + struct.pack("<I", len(body) if size is None else size) + body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with contextlib.suppress(AudioError):
            assert np.isfinite(load_audio(path, duration=10)).all()


cells = st.one_of(
    st.floats(width=32).map(repr),
    st.text(max_size=8),
    st.sampled_from(["", "nan", "inf", "1e999", "0", "-1", "blues.00000.wav", "blues", '"', "1,5"]),
)


@settings(max_examples=15)
@given(
    st.lists(st.lists(cells, min_size=60, max_size=60), min_size=1, max_size=4),
    st.lists(st.integers(0, 59), max_size=3),
)
def test_tables_of_any_cells(tmp_path_factory, rows, valid_but):
    """Right columns, whatever is in them; also right values with a few that are not."""
    path = tmp_path_factory.mktemp("table") / "features.csv"
    head = ["filename", "length", *GTZAN_FEATURES, "label"]
    if valid_but:
        for i, row in enumerate(rows):
            right = [f"blues.{i:05}.wav", "661500", *["0.5"] * 57, "blues"]
            for k in valid_but:
                right[k] = row[k]
            row[:] = right
    path.write_text("\n".join(",".join(row) for row in [head, *rows]), "utf-8", newline="\n")
    try:
        table = load_gtzan_features(path)
    except ValueError:
        pass
    else:
        assert np.isfinite(table.data.to_numpy()).all()
        assert len(table.target) == len(table.track_ids) <= len(rows)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "a.skgenre"
    X = np.random.default_rng(0).normal(size=(12, 5))
    save(make_baseline("logistic").fit(X, np.arange(12) % 2), path)
    with zipfile.ZipFile(path) as archive:
        return path, {name: archive.read(name) for name in archive.namelist()}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("key", ["description", "format", "model", "versions"])
@given(value=json_values)
def test_manifests_of_any_values(model, key, value):
    path, members = model
    manifest = json.loads(members["manifest.json"])
    assert key in manifest
    manifest[key] = value
    changed = path.with_name("changed.skgenre")
    with zipfile.ZipFile(changed, "w") as archive:
        for name, content in {**members, "manifest.json": json.dumps(manifest)}.items():
            archive.writestr(name, content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            load(changed)
        except ModelFileError:
            pass
        else:
            same = value == json.loads(members["manifest.json"])[key]
            assert same or key in ("description", "versions")
