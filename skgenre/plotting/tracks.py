"""Displays in scikit-learn's idiom; they need matplotlib (``pip install skgenre[plot]``)."""

from __future__ import annotations

import os
from typing import Self

import numpy as np
import pandas as pd

from .._display import Display
from ..audio import load_audio, name_of
from ..evaluation import leakage_report
from ..features import MFCCSegmenter
from ..timeline import genre_timeline

#: Colours of Okabe and Ito that readers with any colour vision can tell apart.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73")
_LINES = ("#0072B2", "#D55E00")


class LeakageDisplay(Display):
    """Scores of models under several ways to draw the folds, side by side.

    Parameters
    ----------
    report : DataFrame
        As :func:`skgenre.leakage_report` or :func:`skgenre.compare_models` give it.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgenre import make_baseline
    >>> from skgenre.datasets import load_gtzan_features
    >>> from skgenre.plotting import LeakageDisplay
    >>> table = load_gtzan_features("features_10_sec.csv")  # doctest: +SKIP
    >>> LeakageDisplay.from_estimator(make_baseline("svm"), table)  # doctest: +SKIP
    """

    def __init__(self, report: pd.DataFrame):
        self.report = report

    @classmethod
    def from_estimator(cls, models, table, *, ax=None, **kwargs) -> LeakageDisplay:
        """Score models on a table, and draw it.

        Parameters
        ----------
        models : estimator, or mapping of str to estimator
        table : Bunch or mapping
            See :func:`skgenre.leakage_report`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **kwargs
            For :func:`skgenre.leakage_report`.

        Returns
        -------
        display : LeakageDisplay
        """
        return cls(leakage_report(models, table, **kwargs)).plot(ax=ax)

    _size = (6.4, 3.6)

    def plot(self, ax=None, *, scorer: str | None = None) -> Self:
        """Draw the scores as bars, with one standard deviation over the folds.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        scorer : str, default=None
            Which column of the report; None takes its first scorer.

        Returns
        -------
        display : LeakageDisplay
        """
        return self._plot(ax, scorer=scorer)

    def _draw(self, ax, *, scorer: str | None = None) -> None:
        if scorer is None:  # the column behind the names of model and scheme
            scorer = self.report.columns[2]
        models = self.report["model"].unique()
        schemes = self.report["splitting"].unique()
        width = 0.8 / len(schemes)
        for i, scheme in enumerate(schemes):
            rows = self.report[self.report["splitting"] == scheme].set_index("model").loc[models]
            x = np.arange(len(models)) + (i - (len(schemes) - 1) / 2) * width
            colour = _COLOURS[i % len(_COLOURS)]
            bars = ax.bar(
                x,
                rows[scorer],
                width * 0.92,
                yerr=rows[f"{scorer}_std"],
                label=scheme,
                color=colour,
                ecolor="0.3",
            )
            ax.bar_label(bars, fmt="%.2f", label_type="center", fontsize=9, color="black")
        ax.set_xticks(np.arange(len(models)), models)
        ax.set(ylim=(0, 1), ylabel=scorer.replace("_", " "))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(title="folds drawn", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def _last_step(model):
    """Find the classifier in a pipeline or a search."""
    model = getattr(model, "best_estimator_", model)
    return model.steps[-1][1] if hasattr(model, "steps") else model


class HistoryDisplay(Display):
    """Loss and accuracy of a network over the epochs, in training and on held-out tracks.

    Parameters
    ----------
    history : dict of str to list of float
        ``history_`` of a fitted network.

    Attributes
    ----------
    ax_ : array of two matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgenre.plotting import HistoryDisplay
    >>> HistoryDisplay.from_estimator(pipe)  # doctest: +SKIP
    """

    _n_axes = 2

    def __init__(self, history: dict[str, list[float]]):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, ax=None) -> HistoryDisplay:
        """Draw the history of a fitted network.

        Parameters
        ----------
        estimator : network, or a pipeline or search that ends in one
        ax : array of two matplotlib Axes, default=None
            Where to draw loss and accuracy; None makes a figure.

        Returns
        -------
        display : HistoryDisplay
        """
        network = _last_step(estimator)
        if not hasattr(network, "history_"):
            raise TypeError(f"{network} has no history_: it is no network, or not fitted")
        return cls(network.history_).plot(ax=ax)

    def _draw(self, ax) -> None:
        epochs = np.arange(1, len(self.history["loss"]) + 1)
        for axes, name in zip(ax, ("loss", "accuracy"), strict=True):
            for key, label, colour, style in (
                (name, "training", _LINES[0], "-"),
                (f"val_{name}", "held out", _LINES[1], "--"),
            ):
                if key in self.history:
                    values = self.history[key]
                    axes.plot(epochs[-len(values) :], values, style, color=colour, label=label)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set(xlabel="epoch", ylabel=f"{name} over segments")
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False)
        ax[1].set_ylim(0, 1)


class GenreTimelineDisplay(Display):
    """Genre probabilities of a song over its time, and the answer for the whole.

    Parameters
    ----------
    timeline : Bunch
        As :func:`skgenre.genre_timeline` gives it.
    name : str, default=""
        What to call the song in the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgenre.plotting import GenreTimelineDisplay
    >>> GenreTimelineDisplay.from_estimator(pipe, "song.mp3")  # doctest: +SKIP
    """

    def __init__(self, timeline, name: str = ""):
        self.timeline = timeline
        self.name = name
        self._size = (8, 1.3 + 0.28 * len(timeline.classes))

    @classmethod
    def from_estimator(cls, pipeline, path, *, ax=None) -> GenreTimelineDisplay:
        """Ask a pipeline about each part of a song, and draw the answers.

        Parameters
        ----------
        pipeline : Pipeline
            See :func:`skgenre.genre_timeline`.
        path : str or path-like
            The song.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : GenreTimelineDisplay
        """
        return cls(genre_timeline(pipeline, path), os.path.basename(name_of(path))).plot(ax=ax)

    def _draw(self, ax) -> None:
        timeline = self.timeline
        n_classes = len(timeline.classes)
        mesh = ax.pcolormesh(
            np.r_[timeline.start, timeline.stop[-1]],
            np.arange(n_classes + 1),
            timeline.proba.T,
            vmin=0,
            vmax=1,
            cmap="viridis",
        )
        ax.set_yticks(np.arange(n_classes) + 0.5, timeline.classes)
        ax.invert_yaxis()
        best = timeline.track_proba.argmax()
        answer = f"{timeline.classes[best]}, {timeline.track_proba[best]:.2f} over the whole track"
        ax.set(xlabel="time (s)", title=f"{self.name}: {answer}" if self.name else answer)
        ax.figure.colorbar(mesh, ax=ax, label="probability")


class MFCCDisplay(Display):
    """The segments of a track as a network sees them: coefficients over time.

    Parameters
    ----------
    segments : ndarray of shape (n_segments, n_frames, n_mfcc)
        Those that exist.
    segment_duration : float, default=3.0
        Seconds from one to the next, if they lie one after the other.
    name : str, default=""
        What to call the track in the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgenre import MFCCSegmenter
    >>> from skgenre.plotting import MFCCDisplay
    >>> MFCCDisplay.from_estimator(MFCCSegmenter(), "song.mp3")  # doctest: +SKIP
    """

    def __init__(self, segments, segment_duration: float = 3.0, name: str = ""):
        self.segments = segments
        self.segment_duration = segment_duration
        self.name = name

    @classmethod
    def from_estimator(cls, segmenter, path, *, ax=None) -> MFCCDisplay:
        """Compute the segments of a track, and draw them.

        Parameters
        ----------
        segmenter : MFCCSegmenter, or a pipeline that begins with one
        path : str or path-like
            The track.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : MFCCDisplay
        """
        segmenter = segmenter[0] if hasattr(segmenter, "steps") else segmenter
        if not isinstance(segmenter, MFCCSegmenter):
            raise TypeError(f"Expected an MFCCSegmenter, got {segmenter}")
        [segments] = segmenter.transform([path])
        exists = ~np.isnan(segments[:, 0, 0])
        name = os.path.basename(name_of(path))
        return cls(segments[exists], segmenter.segment_duration, name).plot(ax=ax)

    def _draw(self, ax) -> None:
        from librosa.display import specshow

        n_segments, n_frames, n_mfcc = self.segments.shape
        # The level alone is tens of times the rest, and would leave one colour for that.
        image = specshow(
            self.segments.reshape(-1, n_mfcc).T,
            x_coords=np.arange(n_segments * n_frames) * (self.segment_duration / n_frames),
            ax=ax,
            cmap="PuOr",
            vmin=-150,
            vmax=150,
        )
        for i in range(1, n_segments):
            ax.axvline(i * self.segment_duration, color="black", lw=0.8)
        ax.set_yticks(range(0, n_mfcc, 2))
        ax.set_xticks(np.arange(n_segments + 1) * self.segment_duration)
        ax.set(xlabel="time in segments (s)", ylabel="MFCC", title=self.name)
        ax.figure.colorbar(image, ax=ax, extend="both", label="coefficient (dB)")


class MelSpectrogramDisplay(Display):
    """The mel spectrogram of a track in decibels: the pictures of GTZAN's image folder.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Mono samples.
    sample_rate : int, default=22050
        Their rate, in Hz.
    name : str, default=""
        What to call the track in the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgenre.plotting import MelSpectrogramDisplay
    >>> MelSpectrogramDisplay.from_path("song.mp3")  # doctest: +SKIP
    """

    def __init__(self, y, sample_rate: int = 22050, name: str = ""):
        self.y = y
        self.sample_rate = sample_rate
        self.name = name

    @classmethod
    def from_path(cls, path, *, duration: float | None = 30.0, ax=None) -> MelSpectrogramDisplay:
        """Read a track, and draw it.

        Parameters
        ----------
        path : str or path-like
            The track.
        duration : float or None, default=30.0
            Seconds to draw; None draws all.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : MelSpectrogramDisplay
        """
        y = load_audio(path, duration=duration)
        return cls(y, name=os.path.basename(name_of(path))).plot(ax=ax)

    def _draw(self, ax) -> None:
        import librosa
        from librosa.display import specshow

        power = librosa.feature.melspectrogram(y=self.y, sr=self.sample_rate)
        image = specshow(
            librosa.power_to_db(power, ref=np.max),
            sr=self.sample_rate,
            x_axis="time",
            y_axis="mel",
            ax=ax,
            cmap="magma",
        )
        ax.set(xlabel="time (s)", ylabel="frequency (Hz)", title=self.name)
        ax.figure.colorbar(image, ax=ax, format="%.0f", label="level (dB)")
