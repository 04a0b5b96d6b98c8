"""Load model files, and predict with those that load, in processes of their own.

A crash or a hang is an outcome too: after either, a new process goes on with the next file. As a
program it reads paths from a file of JSON and prints one line of JSON for each.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

#: Seconds without a word after which a file counts as hanging.
PATIENCE = 30

#: Bytes of address space that the process may take beside what the imports take.
_MOST_SPACE = 6 << 30


@dataclass
class Tried:
    """What became of a file: what `load` took, and what predicting took if it loaded."""

    refused: str | None = None
    load_seconds: float = 0.0
    load_mb: float = 0.0
    predict_seconds: float = 0.0
    predict_mb: float = 0.0
    predicted: bool = False
    unexpected: str | None = None

    def fault(self, most_seconds: float = 5, most_mb: float = 300) -> str | None:
        """What is wrong with it, if a file may load."""
        if self.unexpected:
            return self.unexpected
        if self.load_seconds + self.predict_seconds > most_seconds:
            return f"took {self.load_seconds:.1f} s to load and {self.predict_seconds:.1f} s after"
        if max(self.load_mb, self.predict_mb) > most_mb:
            return f"took {self.load_mb:.0f} MB to load and {self.predict_mb:.0f} MB after"
        return None


def resident(peak: bool = False) -> float:
    """Megabytes in memory now, or at the most since :func:`forget_peak`."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:  # not Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 10)
    [line] = [line for line in text.splitlines() if line.startswith("VmHWM" if peak else "VmRSS")]
    return int(line.split()[1]) / (1 << 10)


def forget_peak() -> None:
    with contextlib.suppress(OSError):  # then it is the peak of all files so far, which is no less
        Path("/proc/self/clear_refs").write_text("5")


def predict(model, path: Path) -> bool:
    """Predict for whatever the model may take; whether it did for any."""
    from .model_zoo import TABLE, X

    track = str(path.with_name("track.wav"))
    inputs = [[track]] if path.name.startswith("files") else [X[:3], TABLE[:3]]
    predicted = False
    for given in inputs:
        for method in ("predict", "predict_proba", "transform"):
            try:
                getattr(model, method)(given)
            except MemoryError:
                raise
            except Exception:  # it may predict wrongly or not at all, but must not crash
                continue
            predicted = True
    return predicted


def attempt(path: Path) -> Tried:
    from skgenre import ModelFileError, load

    tried = Tried()
    gc.collect()
    forget_peak()
    before, start = resident(), time.process_time()
    try:
        model = load(path)
    except ModelFileError as error:
        tried.refused = str(error)
    except Exception as error:
        tried.unexpected = f"load raised {type(error).__name__}: {error}"
    tried.load_seconds = time.process_time() - start
    tried.load_mb = resident(peak=True) - before
    if tried.refused or tried.unexpected:
        return tried
    forget_peak()
    start = time.process_time()
    try:
        tried.predicted = predict(model, path)
    except MemoryError as error:
        tried.unexpected = f"predicting raised a MemoryError: {error}"
    tried.predict_seconds = time.process_time() - start
    tried.predict_mb = resident(peak=True) - before
    return tried


def prepare(examples: list[Path]) -> None:
    """Load and predict once, so that what is imported then does not count."""
    for path in examples:
        print('"prepares"', flush=True)
        tried = attempt(path)
        assert tried.refused is None, (path, tried)
        assert tried.predicted or "musicnn" in path.name, path
    gc.collect()
    gc.freeze()  # or each collection would go through what the imports have made
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    # What would take all memory of the machine is an error in the process alone.
    resource.setrlimit(resource.RLIMIT_AS, (used + _MOST_SPACE, resource.RLIM_INFINITY))


def run(paths: list[Path], examples: list[Path], folder: Path) -> dict[Path, Tried]:
    """Try files in other processes."""
    tried: dict[Path, Tried] = {}
    log, listed = folder / "log.jsonl", folder / "listed.json"
    left = list(paths)
    while left:
        listed.write_text(json.dumps([[str(p) for p in examples], [str(p) for p in left]]))
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.try_models", str(listed)],
                stdout=file,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
            size, since, hangs = 0, time.monotonic(), False
            while process.poll() is None and not hangs:
                time.sleep(0.02)
                if (now := log.stat().st_size) > size:
                    size, since = now, time.monotonic()
                hangs = time.monotonic() - since > PATIENCE
            process.kill()
            process.wait()
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        if not set(map(str, lines)) - {"prepares"}:
            raise RuntimeError("the process did not start")
        found = [Tried(**line) for line in lines if isinstance(line, dict)]
        if lines[-1] == "begun":
            how = "hangs" if hangs else f"crashes with {process.returncode}"
            found.append(Tried(unexpected=how))
        tried.update(zip(left, found, strict=False))
        left = left[len(found) :]
    return tried


def main() -> None:
    warnings.simplefilter("ignore")
    examples, paths = json.loads(Path(sys.argv[1]).read_text())
    prepare([Path(path) for path in examples])
    for path in paths:
        print('"begun"', flush=True)
        print(json.dumps(asdict(attempt(Path(path)))), flush=True)


if __name__ == "__main__":
    main()
