"""Displays of tracks: genre timelines, MFCCs and mel spectrograms."""

from __future__ import annotations

import os

import numpy as np

from .._checks import AT_LEAST_1, POSITIVE, check_number
from ..audio import load_audio, name_of
from ..features import MFCCSegmenter
from ..timeline import clock, genre_timeline
from .display import Display

#: Possible distances of the ticks of a timeline in seconds, and how many ticks fit.
_TICKS, MAX_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600), 12


class GenreTimelineDisplay(Display):
    """Genre probabilities of a track over time.

    The title contains the prediction for the whole track. Each segment is shown from its start to
    the start of the next one, although segments may overlap, and the last one to its end. Segments
    without a signal are blank. It is recommended to use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    timeline : Bunch
        Result of :func:`skgenre.genre_timeline`.
    name : str, default=""
        Name of the track in the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the timeline.
    figure_ : matplotlib Figure
        Figure containing the timeline.

    See Also
    --------
    skgenre.genre_timeline : Compute the timeline.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from sklearn.utils import Bunch
    >>> from skgenre.plotting import GenreTimelineDisplay
    >>> timeline = Bunch(
    ...     start=np.array([0.0, 3.0]),
    ...     stop=np.array([3.0, 6.0]),
    ...     proba=np.array([[0.8, 0.2], [0.4, 0.6]]),
    ...     track_proba=np.array([0.6, 0.4]),
    ...     classes=np.array(["blues", "jazz"]),
    ... )
    >>> display = GenreTimelineDisplay(timeline, "song.mp3").plot()
    >>> plt.close(display.figure_)

    The timeline can be computed from an audio file:

    >>> from skgenre import starter_model
    >>> GenreTimelineDisplay.from_estimator(starter_model(), "song.mp3")  # doctest: +SKIP
    """

    def __init__(self, timeline, name: str = ""):
        self.timeline = timeline
        self.name = name
        self._size = (8, 1.3 + 0.28 * len(timeline.classes))

    @classmethod
    def from_estimator(cls, pipeline, path, *, ax=None) -> GenreTimelineDisplay:
        """Compute and plot the timeline of a track.

        Parameters
        ----------
        pipeline : Pipeline
            Fitted pipeline, see :func:`skgenre.genre_timeline`.
        path : str or path-like
            Track.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : GenreTimelineDisplay
            Object that stores the timeline.
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
        ax.set(xlabel="time (min:s)", title=f"{self.name}: {answer}" if self.name else answer)
        between = next((s for s in _TICKS if timeline.stop[-1] / s <= MAX_TICKS), _TICKS[-1])
        ticks = np.arange(0, timeline.stop[-1] + 1e-6, between)
        ax.set_xticks(ticks, [clock(tick) for tick in ticks])
        ax.figure.colorbar(mesh, ax=ax, label="probability")


class MFCCDisplay(Display):
    """MFCCs of the segments of a track.

    Each coefficient is shown as the distance from its mean over the track, in standard deviations.
    Otherwise the first ones would be so large that they hide the others. It is recommended to use
    :meth:`from_estimator` to create a display.

    Parameters
    ----------
    segments : ndarray of shape (n_segments, n_frames, n_mfcc)
        MFCCs of the segments. Those of NaN, which have no signal, are blank.
    segment_duration : float, default=3.0
        Duration of the segments in seconds.
    name : str, default=""
        Name of the track in the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the MFCCs.
    figure_ : matplotlib Figure
        Figure containing the MFCCs.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skgenre.plotting import MFCCDisplay
    >>> segments = np.random.default_rng(0).normal(scale=50, size=(2, 130, 13))
    >>> display = MFCCDisplay(segments).plot()
    >>> plt.close(display.figure_)

    The MFCCs can be computed from an audio file:

    >>> from skgenre import MFCCSegmenter
    >>> MFCCDisplay.from_estimator(MFCCSegmenter(), "song.mp3")  # doctest: +SKIP
    """

    def __init__(self, segments, segment_duration: float = 3.0, name: str = ""):
        check_number("segment_duration", segment_duration, POSITIVE)
        self.segments = segments
        self.segment_duration = segment_duration
        self.name = name

    @classmethod
    def from_estimator(cls, segmenter, path, *, ax=None) -> MFCCDisplay:
        """Compute and plot the MFCCs of the segments of a track.

        Parameters
        ----------
        segmenter : MFCCSegmenter or Pipeline
            Segmenter, or pipeline that begins with one.
        path : str or path-like
            Track.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : MFCCDisplay
            Object that stores the MFCCs.

        Raises
        ------
        TypeError
            If `segmenter` is not an MFCCSegmenter and does not begin with one.
        """
        segmenter = segmenter[0] if hasattr(segmenter, "steps") else segmenter
        if not isinstance(segmenter, MFCCSegmenter):
            raise TypeError(
                f"segmenter must be an MFCCSegmenter, or a pipeline that begins with one; got "
                f"{segmenter}."
            )
        [segments] = segmenter.transform([path])
        # Segments without a signal keep their place; those behind the end are left out.
        n_segments = 1 + np.flatnonzero(~np.isnan(segments[:, 0, 0]))[-1]
        name = os.path.basename(name_of(path))
        return cls(segments[:n_segments], segmenter.segment_duration, name).plot(ax=ax)

    def _draw(self, ax) -> None:
        from librosa.display import specshow

        n_segments, n_frames, n_mfcc = self.segments.shape
        coefficients = self.segments.reshape(-1, n_mfcc).T
        # Each on its own scale, since the first is much larger and would hide the others.
        mean = np.nanmean(coefficients, axis=1, keepdims=True)
        std = np.nanstd(coefficients, axis=1, keepdims=True)
        image = specshow(
            (coefficients - mean) / np.where(std > 0, std, 1),
            x_coords=np.arange(n_segments * n_frames) * (self.segment_duration / n_frames),
            ax=ax,
            cmap="viridis",
            vmin=-3,
            vmax=3,
        )
        for i in range(1, n_segments):
            ax.axvline(i * self.segment_duration, color="black", lw=0.8)
        ax.set_yticks(range(0, n_mfcc, 2), range(1, n_mfcc + 1, 2))
        ax.set_xticks(np.arange(n_segments + 1) * self.segment_duration)
        ax.set(xlabel="time in segments (s)", ylabel="MFCC", title=self.name)
        ax.figure.colorbar(image, ax=ax, extend="both", label="standard deviations")


class MelSpectrogramDisplay(Display):
    """Mel spectrogram of a track in decibels, similar to the images distributed with GTZAN.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Mono samples.
    sample_rate : int, default=22050
        Sample rate in Hz.
    name : str, default=""
        Name of the track in the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the spectrogram.
    figure_ : matplotlib Figure
        Figure containing the spectrogram.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skgenre.plotting import MelSpectrogramDisplay
    >>> y = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> display = MelSpectrogramDisplay(y).plot()
    >>> plt.close(display.figure_)

    The samples can be read from an audio file:

    >>> MelSpectrogramDisplay.from_path("song.mp3")  # doctest: +SKIP
    """

    def __init__(self, y, sample_rate: int = 22050, name: str = ""):
        check_number("sample_rate", sample_rate, AT_LEAST_1)
        self.y = y
        self.sample_rate = sample_rate
        self.name = name

    @classmethod
    def from_path(cls, path, *, duration: float | None = 30.0, ax=None) -> MelSpectrogramDisplay:
        """Read a track and plot its mel spectrogram.

        Parameters
        ----------
        path : str or path-like
            Track.
        duration : float or None, default=30.0
            Duration in seconds from the start of the track. None plots the whole track.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : MelSpectrogramDisplay
            Object that stores the samples.
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
            cmap="viridis",
        )
        ax.set(xlabel="time (s)", ylabel="frequency (Hz)", title=self.name)
        ax.figure.colorbar(image, ax=ax, format="%.0f", label="level (dB)")
