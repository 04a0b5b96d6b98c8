"""Mutate valid files and see what escapes: nothing but the documented errors may.

``make fuzz`` tries 20,000 cases and prints what became of them; the tests try the first
hundred. A case is a number: ``python -m tests.fuzz --case 4711`` repeats one. Cases run in
processes of their own, so that a crash or a hang is an outcome too.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import gc
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from .model_files import pack, unpack
from .mutations import mutate as mutate_within_schema

#: Seconds of the processor, and megabytes, that loading a model may take. Predicting may take more.
MAX_LOAD_SECONDS, MAX_LOAD_MB = 5, 300

#: Seconds after which a case counts as hanging, and bytes by which it may make memory grow.
PATIENCE, MOST_MEMORY = 60, 400 << 20

#: Bytes of address space of a worker, so that what would take all memory is an error in it alone.
MOST_SPACE = 12 << 30


# ---------------------------------------------------------------- what is mutated


def sounds(folder: Path) -> list[Path]:
    import soundfile

    from .conftest import encode_sound, make_sound, write_sound

    paths = []
    for major, minor, suffix in [
        *(("WAV", "PCM_16", "wav"), ("WAV", "FLOAT", "wav"), ("WAV", "ULAW", "wav")),
        *(("WAV", "IMA_ADPCM", "wav"), ("WAV", "MS_ADPCM", "wav"), ("WAV", "GSM610", "wav")),
        *(("W64", "PCM_24", "w64"), ("RF64", "PCM_16", "wav"), ("AIFF", "PCM_16", "aiff")),
        *(("AU", "PCM_16", "au"), ("CAF", "ALAC_16", "caf"), ("FLAC", "PCM_16", "flac")),
        *(("OGG", "VORBIS", "ogg"), ("OGG", "OPUS", "opus"), ("MP3", "MPEG_LAYER_III", "mp3")),
    ]:
        rate = 48000 if minor == "OPUS" else 22050
        path = folder / f"{major}_{minor}.{suffix}"
        try:
            write_sound(path, make_sound(0.7, rate), rate, format=major, subtype=minor)
        except soundfile.LibsndfileError:
            continue  # an older libsndfile
        paths.append(path)
    mp3 = (folder / "MP3_MPEG_LAYER_III.mp3").read_bytes()
    (folder / "no_header.mp3").write_bytes(mp3[417:])
    (folder / "tagged.mp3").write_bytes(b"ID3\x03\x00\x00\x00\x00\x07\x76" + bytes(1014) + mp3)
    paths += [folder / "no_header.mp3", folder / "tagged.mp3"]
    if importlib.util.find_spec("av"):
        y = make_sound(0.7, 44100)[:, None]
        for suffix, codec in [("m4a", "aac"), ("wma", "wmav2"), ("mka", "ac3"), ("aac", "aac")]:
            paths.append(encode_sound(folder / f"{codec}.{suffix}", codec, y))
    return paths


def tables(folder: Path) -> list[Path]:
    import pandas as pd

    from skgenre.features import GTZAN_FEATURES

    rng = np.random.default_rng(0)
    paths = []
    for pieces in (1, 3):
        table = pd.DataFrame(rng.normal(size=(6 * pieces, 57)), columns=GTZAN_FEATURES)
        names = [
            f"{genre}.{i:05}" + (f".{piece}" if pieces > 1 else "") + ".wav"
            for genre in ("blues", "rock")
            for i in range(3)
            for piece in range(pieces)
        ]
        table.insert(0, "filename", names)
        table.insert(1, "length", 66149)
        table["label"] = [name.partition(".")[0] for name in names]
        path = folder / f"features_{pieces}.csv"
        table.to_csv(path, index=False)
        paths.append(path)
    return paths


def models(folder: Path) -> list[Path]:
    from .model_zoo import save_all

    return list(save_all(folder).values())


# ---------------------------------------------------------------- how

WORDS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 31]


def mutate(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """A few changes, half of them near the start, where headers are."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        n = len(data)
        if n < 8:
            break
        at = int(rng.integers(min(n, 64) if rng.random() < 0.5 else n))
        size = int(rng.integers(1, min(n, 64)))
        kind = rng.integers(8)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at : at + size] = rng.bytes(size)
        elif kind == 2:
            width = int(rng.choice([1, 2, 4, 8]))
            word = int(rng.choice(WORDS)) & ((1 << 8 * width) - 1)
            order = "little" if rng.random() < 0.7 else "big"
            data[at : at + width] = word.to_bytes(width, order)
        elif kind == 3:
            del data[at : at + size]
        elif kind == 4:
            data[at:at] = data[at : at + size]
        elif kind == 5:
            del data[int(rng.integers(n)) :]
        elif kind == 6:
            data[at:at] = rng.bytes(size)
        else:
            start = int(rng.integers(len(other)))
            data[at : at + size] = other[start : start + size]
    return bytes(data)


JUNK = [
    None,
    True,
    -1,
    0,
    1e308,
    1 << 70,
    "",
    "os.system",
    "../x",
    [],
    {},
    [[]],
    {"a": 1},
    "ObjectNode",
]


def mutate_tree(tree, rng: np.random.Generator) -> None:
    """Replace something, anywhere, by something else; also a part of the tree by another."""
    places = []
    stack = [tree]
    while stack:
        item = stack.pop()
        keys = item.keys() if isinstance(item, dict) else range(len(item))
        for key in keys:
            places.append((item, key))
            if isinstance(item[key], dict | list):
                stack.append(item[key])
    for _ in range(rng.integers(1, 4)):
        item, key = places[rng.integers(len(places))]
        if rng.random() < 0.3:
            other, other_key = places[rng.integers(len(places))]
            # A copy, or a tree could come to hold itself.
            value = json.loads(
                json.dumps(other.get(other_key) if isinstance(other, dict) else None)
            )
        else:
            value = JUNK[rng.integers(len(JUNK))]
        if (isinstance(item, dict) and key in item) or (isinstance(item, list) and key < len(item)):
            item[key] = value


def mutate_model(path: Path, target: Path, rng: np.random.Generator) -> None:
    """Change the manifest or an array, with checksums that are right, so that it comes far."""
    manifest, arrays = unpack(path)
    if not arrays or rng.random() < 0.5:
        mutate_tree(manifest, rng)
    else:
        name = list(arrays)[rng.integers(len(arrays))]
        array = arrays[name]
        body = mutate(array.tobytes(), rng, path.read_bytes())
        body = body[: array.nbytes].ljust(array.nbytes, b"\xff")
        arrays[name] = np.frombuffer(body, array.dtype).reshape(array.shape)
    target.write_bytes(pack(manifest, arrays))


# ---------------------------------------------------------------- what may come of it


def read_sound(path: Path) -> str:
    from skgenre import AudioError, load_audio
    from skgenre.audio import AudioFile

    try:
        y = load_audio(path, duration=20)
        with AudioFile(path) as audio:
            middle = audio.n_samples // 2
            part = audio.read(middle, middle + 1000)
    except AudioError:
        return "AudioError"
    if y.dtype != np.float32 or not (np.isfinite(y).all() and np.isfinite(part).all()):
        return "UNEXPECTED: not finite"
    return "read"


def read_table(path: Path) -> str:
    from skgenre.datasets import load_gtzan_features

    try:
        table = load_gtzan_features(path)
    except ValueError:
        return "ValueError"
    if not np.isfinite(table.data.to_numpy()).all():
        return "UNEXPECTED: not finite"
    return "read"


def read_model(path: Path) -> str:
    from skgenre import ModelFileError, load

    gc.collect()
    with contextlib.suppress(OSError):  # otherwise, the peak is that of all cases so far
        Path("/proc/self/clear_refs").write_text("5")
    before, start = resident("VmRSS"), time.process_time()
    outcome = "loaded"
    try:
        model = load(path)
    except ModelFileError:
        outcome = "ModelFileError"
    seconds, mb = time.process_time() - start, resident("VmHWM") - before
    if seconds > MAX_LOAD_SECONDS or mb > MAX_LOAD_MB:
        return f"UNEXPECTED: loading took {seconds:.1f} s and {mb:.0f} MB"
    if outcome == "loaded" and not predicts(model, path):
        return "loaded, does not predict"
    return outcome


def resident(field: str) -> float:
    """Megabytes in memory now (VmRSS) or at the most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def predicts(model, path: Path) -> bool:
    """Whether a model predicts for anything; it may fail to, but must not crash."""
    from .model_zoo import TABLE, X

    track = str(path.with_name("track.wav"))
    inputs = [[track]] if path.name.startswith("files") else [X[:3], TABLE[:3]]
    predicted = False
    for given in inputs:
        for method in ("predict", "predict_proba", "transform"):
            with contextlib.suppress(Exception):
                getattr(model, method)(given)
                predicted = True
    with contextlib.suppress(Exception):
        repr(model), model._repr_html_()
    return predicted


READERS = {"sound": read_sound, "table": read_table, "model": read_model}


def attempt(case: int, corpus: dict[str, list[Path]], folder: Path) -> str:
    """Outcome of one case."""
    rng = np.random.default_rng(case)
    kind = _KINDS[case % len(_KINDS)]
    paths = corpus[kind]
    path = paths[rng.integers(len(paths))]
    content, other = path.read_bytes(), paths[rng.integers(len(paths))].read_bytes()
    target = folder / f"case{path.suffix}"
    if kind == "model":
        # Its name says what it predicts on.
        target = folder / f"{'files' if path.name.startswith('files') else 'case'}{path.suffix}"
    # Most of the models with right checksums, so that they come far, and many load.
    way = rng.random() if kind == "model" else 1
    if way < 0.6:
        mutate_within_schema(path, target, rng)
    elif way < 0.8:
        mutate_model(path, target, rng)
    else:
        target.write_bytes(mutate(content, rng, other))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = READERS[kind](target)
    except Exception as error:
        outcome = f"UNEXPECTED: {type(error).__name__}: {str(error)[:100]}"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    if grown > MOST_MEMORY and kind != "model":
        outcome = f"UNEXPECTED: took {grown >> 20} MB"
    return f"{kind}: {outcome}"


def worker(cases: range) -> None:
    """Try cases and print the outcome of each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_SPACE, resource.RLIM_INFINITY))
        corpus_folder = Path(os.environ["SKGENRE_FUZZ_CORPUS"])
        corpus = json.loads((corpus_folder / "corpus.json").read_text())
        corpus = {kind: [corpus_folder / path for path in paths] for kind, paths in corpus.items()}
        # What is loaded once does not count as memory of the first case.
        for kind, paths in corpus.items():
            for path in paths:
                assert READERS[kind](path) in ("read", "loaded") or "musicnn" in path.name, path
        if "model" in corpus:
            (folder / "track.wav").write_bytes((corpus_folder / "track.wav").read_bytes())
        gc.collect()
        gc.freeze()  # or each collection would go through what the imports have made
        for case in cases:
            print(case, flush=True)
            print(attempt(case, corpus, folder), flush=True)


MAKERS = {"sound": sounds, "table": tables, "model": models}
_KINDS = ("sound", "sound", "table", "model")


def kinds(cases: range) -> set[str]:
    """Kinds of files that cases are about."""
    return {_KINDS[case % len(_KINDS)] for case in cases[: len(_KINDS)]}


def run(cases: range) -> tuple[collections.Counter, list[tuple[int, str]]]:
    """Try cases in other processes.

    Returns the number of each outcome, and the cases that nobody expected.
    """
    outcomes: collections.Counter = collections.Counter()
    unexpected = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = {kind: make(folder) for kind, make in MAKERS.items() if kind in kinds(cases)}
        names = {kind: [path.name for path in paths] for kind, paths in corpus.items()}
        (folder / "corpus.json").write_text(json.dumps(names))
        start = cases.start
        while start < cases.stop:
            log = folder / "log"
            with open(log, "wb") as file:
                process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "tests.fuzz",
                        "--worker",
                        *map(str, (start, cases.stop, cases.step)),
                    ],
                    stdout=file,
                    stderr=subprocess.DEVNULL,  # the decoders' own words
                    env={**os.environ, "SKGENRE_FUZZ_CORPUS": name},
                )
                hangs = False
                size, since = 0, time.monotonic()
                while process.poll() is None and not hangs:
                    time.sleep(0.05)
                    if (now := log.stat().st_size) > size:
                        size, since = now, time.monotonic()
                    hangs = time.monotonic() - since > PATIENCE
                process.kill()
                process.wait()
            lines = log.read_text().splitlines()
            for case, outcome in zip(lines[::2], lines[1::2], strict=False):
                outcomes[outcome] += 1
                if "UNEXPECTED" in outcome:
                    unexpected.append((int(case), outcome))
                start = int(case) + cases.step
            if len(lines) % 2:
                outcome = "HANGS" if hangs else f"CRASHES with {process.returncode}"
                outcomes[outcome] += 1
                unexpected.append((int(lines[-1]), outcome))
                start = int(lines[-1]) + cases.step
            elif start < cases.stop and not lines:
                raise RuntimeError("a worker did not start")
    return outcomes, unexpected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--case", type=int, help="repeat one")
    parser.add_argument("--models", action="store_true", help="those about models only")
    parser.add_argument("--worker", type=int, nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(range(*args.worker))
        return
    cases = range(args.cases) if args.case is None else range(args.case, args.case + 1)
    if args.models:
        cases = range(_KINDS.index("model"), args.cases, len(_KINDS))
    outcomes, unexpected = run(cases)
    for outcome, n in sorted(outcomes.items()):
        print(f"{n:6} {outcome}")
    print(f"{len(cases)} cases, {len(unexpected)} unexpected")
    for case, outcome in unexpected:
        print(f"case {case}: {outcome}")
    sys.exit(bool(unexpected))


if __name__ == "__main__":
    main()
