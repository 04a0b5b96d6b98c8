"""Progress bars. The bar of a whole computation replaces the bars of its parts.

Work is measured in features of a track, by one front end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

#: Work of a fit for each track. Networks take much longer than their features.
_FIT, _FIT_OF_NETWORK = 0.15, 15.0

_whole: ContextVar[Any] = ContextVar("whole", default=None)


def work_of_fit(model, n_tracks: float) -> float:
    """Estimate the work of training a model."""
    is_network = any(name.split("__")[-1] == "epochs" for name in model.get_params())
    return n_tracks * (_FIT_OF_NETWORK if is_network else _FIT)


@contextmanager
def one_bar(work: float, n_tracks: int, verbose: int) -> Iterator[None]:
    """Show one bar of all the work in this context, with the remaining time, if `verbose`."""
    if not verbose:
        yield
        return
    from tqdm.auto import tqdm

    form = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining} {desc}"
    with tqdm(total=work, bar_format=form) as bar:
        bar.n_tracks = n_tracks
        token = _whole.set(bar)
        try:
            yield
        finally:
            _whole.reset(token)
        bar.update(bar.total - bar.n)


def advance_fit(model, share: float) -> None:
    """Advance the bar of the whole, if there is one, by a fit on a share of its tracks."""
    bar = _whole.get()
    if bar is not None:
        _advance(bar, work_of_fit(model, share * bar.n_tracks), "fits")


def _advance(bar, work: float, name: str) -> None:
    bar.set_description_str(name, refresh=False)
    bar.update(min(work, bar.total - bar.n))


def follow(
    results: Iterable, n: int, name: str, verbose: int, *, work: float = 1.0
) -> Iterator[Any]:
    """Yield the results of `n` tracks, and show the progress.

    The bar is that of the whole, if there is one; each result advances it by `work`. Otherwise it
    is a bar of these tracks, if `verbose`.
    """
    whole = _whole.get()
    if verbose and whole is None:
        from tqdm.auto import tqdm

        results = tqdm(results, name, n, unit="track")
    for result in results:
        if whole is not None:
            _advance(whole, work, name)
        yield result
