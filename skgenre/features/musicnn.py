"""`MusicnnEmbedder`: paths of audio files -> embeddings of a network that others trained."""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone

from .._sklearn import Interval, StrOptions
from ..audio import AudioError, AudioFile
from .checkpoints import read_checkpoint
from .extractor import TrackExtractor
from .filters import band_blocks, mel_filters
from .musicnn_network import N_EMBEDDING, N_FRAMES, N_MELS, Musicnn
from .segments import n_segment_frames
from .spectra import band_powers

SAMPLE_RATE = 16000
N_FFT = 512
HOP_LENGTH = 256

#: The release whose weights are read.
MUSICNN_VERSION = "0.1.0"

#: Patches of a track that are read at once: half a minute.
_BLOCK_PATCHES = 10


class MusicnnEmbedder(TrackExtractor, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Embed tracks with the published network musicnn, trained on tags of music.

    Each track is cut into patches of 3 seconds, and every patch gives one row of 200 numbers: the
    last layer but one of musicnn [1]_ [2]_, which was trained on far more music than GTZAN has. A
    small linear model on their mean over a track does well with few tracks of each genre.

    The weights are not part of skgenre. They are those in the distribution musicnn 0.1.0, by
    Jordi Pons, copyright Music Technology Group, Universitat Pompeu Fabra, under the ISC licence::

        pip install --no-deps musicnn==0.1.0

    Without ``--no-deps`` pip would look for a NumPy below 1.17. None of its code is run.

    Parameters
    ----------
    weights : {"MTT", "MSD"}, default="MTT"
        What the network was trained on: MagnaTagATune, or the Million Song Dataset. See the notes
        before you report scores of ``"MSD"``.
    patches : int or None, default=None
        How many patches to take of a track, spread evenly over it: 1 takes the middle one. None
        takes all, one after the other without overlap, and pads to the longest track of the call.
    on_error : {"raise", "warn"}, default="raise"
        What becomes of tracks that cannot be read or are shorter than a patch; see
        :class:`skgenre.TrackExtractor`.
    memory : str, path-like or joblib.Memory, default=None
        Where to cache embeddings.
    n_jobs : int, default=None
        Threads to use.
    verbose : int, default=0
        Show a progress bar if not 0.

    Raises
    ------
    ImportError
        By `fit` and `transform`, if musicnn 0.1.0 is not installed.

    See Also
    --------
    SegmentSummary : ``SegmentSummary(statistics="mean")`` is the mean over patches.
    SegmentVotingClassifier : Train on patches, and aggregate the predictions for them.

    Notes
    -----
    Stateless. Audio is resampled to 16,000 Hz; a patch is 187 frames (n_fft 512, hop 256) of 96 mel
    bands of power, ``log10(1 + 10000 x)``; what is left at the end of a track is dropped, as by
    musicnn. The network is computed in NumPy, and equals TensorFlow's to 1e-4. musicnn rounds the
    mel bands to half precision, in which loud ones overflow to infinity; here they are float32.

    The Million Song Dataset very probably holds songs by the artists of GTZAN. Folds grouped by
    artist do not shield ``"MSD"`` from that, so that its scores on GTZAN flatter. MagnaTagATune
    holds music of one label, Magnatune: ``"MTT"`` gives the cleaner figure.

    References
    ----------
    .. [1] J. Pons and X. Serra, "musicnn: pre-trained convolutional neural networks for music audio
       tagging", Late-breaking/demo session, ISMIR 2019.
    .. [2] J. Pons, O. Nieto, M. Prockup, E. Schmidt, A. Ehmann and X. Serra, "End-to-end learning
       for music audio tagging at scale", ISMIR 2018.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skgenre import MusicnnEmbedder, SegmentSummary
    >>> model = make_pipeline(
    ...     MusicnnEmbedder(n_jobs=2),
    ...     SegmentSummary(statistics="mean"),
    ...     StandardScaler(),
    ...     LogisticRegression(C=0.01),
    ... )
    >>> model.fit(paths, genres)  # doctest: +SKIP
    """

    sample_rate = SAMPLE_RATE

    _parameter_constraints: ClassVar[dict] = {
        **TrackExtractor._parameter_constraints,
        "weights": [StrOptions({"MTT", "MSD"})],
        "patches": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        weights: str = "MTT",
        patches: int | None = None,
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.weights = weights
        self.patches = patches
        super().__init__(on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose)

    @property
    def track_shape(self) -> tuple[int | None, ...]:
        """Shape of a track's array, ``(patches, 1, 200)``."""
        return self.patches, 1, N_EMBEDDING

    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the embeddings of one track, half a minute at a time.

        Parameters
        ----------
        audio : AudioFile

        Returns
        -------
        embeddings : float32 ndarray of shape (n_patches_found, 1, 200)

        Raises
        ------
        AudioError
            If the track is shorter than a patch.
        """
        found = self._embed(audio, audio.n_samples)
        if self.patches is not None and audio.ended_early:
            # The header promised more than there is: place them in what there is.
            found = self._embed(audio, len(audio.read()))
        if not len(found):
            duration = len(audio.read()) / SAMPLE_RATE
            needed = (N_FRAMES - 1) * HOP_LENGTH / SAMPLE_RATE
            raise AudioError(
                audio.name,
                f"{duration:.2f} s of audio is too short for a patch of musicnn; it needs "
                f"{needed:.2f} s",
            )
        return found[:, None]

    def consecutive(self) -> tuple[TrackExtractor, float]:
        """Return a copy that takes all segments in order, and their length in seconds.

        Returns
        -------
        extractor : TrackExtractor
        seconds : float
        """
        return clone(self).set_params(patches=None), N_FRAMES * HOP_LENGTH / SAMPLE_RATE

    def _embed(self, audio: AudioFile, n_samples: int) -> np.ndarray:
        network = _published(self.weights)
        blocks = [np.empty((0, N_EMBEDDING), np.float32)]
        for first, last in self._intervals(n_segment_frames(n_samples, HOP_LENGTH) // N_FRAMES):
            patches = _read_patches(audio, first, last)
            blocks.append(network.embed(patches))
            if len(patches) < last - first:
                break  # the file ends before its header says
        return np.concatenate(blocks)

    def _intervals(self, n_patches: int) -> list[tuple[int, int]]:
        """First and last patch, exclusive, of what is read at once."""
        if self.patches is None or self.patches >= n_patches:
            starts = range(0, n_patches, _BLOCK_PATCHES)
            return [(start, min(start + _BLOCK_PATCHES, n_patches)) for start in starts]
        # Those in the middle of equal parts of the track.
        chosen = [(2 * i + 1) * n_patches // (2 * self.patches) for i in range(self.patches)]
        return [(i, i + 1) for i in chosen]

    def _check_parameters(self) -> None:
        super()._check_parameters()
        _published(self.weights)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Names of the numbers of an embedding, along the last axis.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str objects
        """
        prefix = f"musicnn_{self.weights.lower()}"
        return np.array([f"{prefix}{i}" for i in range(1, N_EMBEDDING + 1)], dtype=object)


@lru_cache(maxsize=2)
def _published(weights: str) -> Musicnn:
    """Prepare the network of the installed musicnn; a tenth of a second.

    Raises
    ------
    ImportError
        If musicnn is not installed, is another version, or lacks the files.
    """
    try:
        found = metadata.distribution("musicnn")
    except metadata.PackageNotFoundError:
        raise _not_installed("which is not installed") from None
    if found.version != MUSICNN_VERSION:
        raise _not_installed(f"but musicnn {found.version} is installed")
    try:
        # The name of the checkpoint is empty, so that of its index is ".index".
        arrays = read_checkpoint(f"{found.locate_file('musicnn')}/{weights}_musicnn/")
    except (OSError, ValueError) as error:
        raise _not_installed(f"whose files cannot be read ({error})") from error
    return Musicnn(arrays)


def _not_installed(reason: str) -> ImportError:
    return ImportError(
        f"MusicnnEmbedder needs the weights of musicnn {MUSICNN_VERSION}, {reason}; run "
        f"'pip install --no-deps musicnn=={MUSICNN_VERSION}'. They are under the ISC licence, and "
        "the NumPy below 1.17 that pip would look for without --no-deps is not needed",
        name="musicnn",
    )


@lru_cache(maxsize=1)
def _mel_bank() -> tuple:
    return band_blocks(mel_filters(SAMPLE_RATE, N_FFT, N_MELS))


def _read_patches(audio: AudioFile, first: int, last: int) -> np.ndarray:
    """Log-mel spectrograms of the patches `first` to `last`, or of fewer where the file ends.

    They are those of the whole file's spectrogram: a hop of samples before and after belongs to the
    frames at the ends.

    Returns
    -------
    patches : float32 ndarray of shape (n_patches, 187, 96)
    """
    before = min(first, 1)  # frames
    start, stop = first * N_FRAMES - before, last * N_FRAMES
    y = audio.read(start * HOP_LENGTH, stop * HOP_LENGTH)
    [[power]] = band_powers([y], [_mel_bank()], n_fft=N_FFT, hop_length=HOP_LENGTH)
    n = min((len(power) - before) // N_FRAMES, last - first)
    x = power[before : before + n * N_FRAMES]
    x *= np.float32(10000)
    x += 1
    np.log(x, out=x)
    x *= np.float32(1 / np.log(10))
    return x.reshape(n, N_FRAMES, N_MELS)
