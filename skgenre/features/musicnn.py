"""Extraction of embeddings and tags with the pretrained network musicnn.

Segments are musicnn's patches: 187 frames of 256 samples at 16,000 Hz.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata
from typing import Any, ClassVar

import numpy as np

from .._sklearn import StrOptions
from ..audio import AudioError, AudioFile, at_length, has_signal
from .checkpoints import read_checkpoint
from .front_end import FrontEnd, numbered
from .musicnn_network import N_EMBEDDING, N_FRAMES, N_MELS, TAGS, Musicnn
from .segments import N_SEGMENTS, PLACEMENT, n_segment_frames
from .spectra import band_powers, mel_bank

SAMPLE_RATE = 16000
N_FFT = 512
HOP_LENGTH = 256

#: The release of musicnn that contains the weights.
MUSICNN_VERSION = "0.1.0"

#: Number of patches read at a time: half a minute.
_BLOCK_PATCHES = 10


class MusicnnEmbedder(FrontEnd, auto_wrap_output_keys=None):
    """Extract embeddings or tags of tracks with the pretrained network musicnn.

    Each track is split into segments of 3 seconds. Each segment is embedded in 200 dimensions by
    the penultimate layer of musicnn [1]_ [2]_, a network for music tagging trained on far more
    music than GTZAN contains. A linear model on the mean embedding of a track performs well even
    with few tracks per genre. With ``output="tags"``, the values are instead the probabilities of
    the last layer, for 50 tags such as "jazz" or "female vocalists".

    The weights are not part of skgenre. They are those of the distribution musicnn 0.1.0 by Jordi
    Pons, copyright Music Technology Group, Universitat Pompeu Fabra, under the ISC license::

        pip install --no-deps musicnn==0.1.0

    Without ``--no-deps``, pip would look for a NumPy below 1.17. No code of musicnn is run.

    Read more in the :ref:`User Guide <embeddings>`.

    Parameters
    ----------
    weights : {"MTT", "MSD"}, default="MTT"
        Training data of the network: MagnaTagATune or the Million Song Dataset. See the Notes
        before reporting scores with ``"MSD"``.
    output : {"embedding", "tags"}, default="embedding"
        What to return of each segment: the 200 values of its embedding, or the probabilities of 50
        tags, which need not sum to 1. The tags are those of the training data;
        :meth:`get_feature_names_out` returns them.
    n_segments : int, default=None
        Maximum number of segments per track. If None, all segments are used, and the output is
        padded to the longest track.
    placement : {"start", "spread"}, default="spread"
        Whether segments are consecutive from the start of the track, or spaced evenly over it:
        those of all segments at the centers of `n_segments` equal parts. With
        ``n_segments=1``, this is the segment in the middle.
    on_error : {"raise", "warn"}, default="raise"
        How to handle tracks that cannot be read, are shorter than a segment or contain no signal;
        see :class:`skgenre.FrontEnd`. Segments without a signal are NaN.
    memory : str, path-like or joblib.Memory, default=None
        Used to cache the output; see :class:`skgenre.FrontEnd`.
    n_jobs : int, default=None
        Number of threads; see :class:`skgenre.FrontEnd`.
    verbose : int, default=0
        If nonzero, show a progress bar.
    augment : None, change, or sequence of changes, default=None
        Changed copies of each track in training, such as ``"robust"``; see
        :class:`skgenre.FrontEnd`.

    Attributes
    ----------
    segment_duration : float
        Length of a segment in seconds, 2.992, which the network requires.

    Raises
    ------
    ImportError
        In `fit` and `transform`, if musicnn 0.1.0 is not installed.

    See Also
    --------
    SegmentSummary : Average embeddings or tags with ``SegmentSummary(statistics="mean")``.
    SegmentVotingClassifier : Classify segments and aggregate the predictions.

    Notes
    -----
    This transformer is stateless. Audio is resampled to 16,000 Hz. A segment, which musicnn calls
    a patch, has 187 frames (n_fft 512, hop 256) of 96 mel bands, whose power x is compressed by
    ``log10(1 + 10000 x)``. As in musicnn, the remainder at the end of a track is dropped. The
    network is run by ONNX Runtime; its output equals that of TensorFlow to 1e-4. musicnn rounds
    mel bands to half precision, in which high powers overflow to infinity; here they are float32.

    The Million Song Dataset very probably contains songs by artists of GTZAN. Grouping folds by
    artist does not prevent this leakage, so that scores of ``"MSD"`` on GTZAN are likely
    optimistic. MagnaTagATune contains music of a single label, Magnatune, so that ``"MTT"`` allows
    a cleaner evaluation.

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
    segment_duration = N_FRAMES * HOP_LENGTH / SAMPLE_RATE

    _parameter_constraints: ClassVar[dict] = {
        **FrontEnd._parameter_constraints,
        "weights": [StrOptions(set(TAGS))],
        "output": [StrOptions({"embedding", "tags"})],
        "n_segments": N_SEGMENTS,
        "placement": PLACEMENT,
    }

    def __init__(
        self,
        *,
        weights: str = "MTT",
        output: str = "embedding",
        n_segments: int | None = None,
        placement: str = "spread",
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        augment: Any = None,
    ):
        self.weights = weights
        self.output = output
        self.n_segments = n_segments
        self.placement = placement
        super().__init__(
            on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose, augment=augment
        )

    @property
    def track_shape(self) -> tuple[int | None, ...]:
        """Shape of the array of a track, ``(n_segments, 1, 200)``, or 50 for tags."""
        return self.n_segments, 1, len(self.get_feature_names_out())

    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the embeddings or tags of one track, half a minute at a time.

        Parameters
        ----------
        audio : AudioFile
            The open file.

        Returns
        -------
        track : float32 ndarray of shape (n_segments_found, 1, 200) or (n_segments_found, 1, 50)
            Embedding or tags of each segment; NaN for segments without a signal.

        Raises
        ------
        AudioError
            If the track is shorter than a segment.
        """
        network = _published(self.weights)
        blocks = [_embed(network, patches) for patches in self._read(audio) if len(patches)]
        if not blocks:
            duration = audio.n_samples / SAMPLE_RATE
            needed = (N_FRAMES - 1) * HOP_LENGTH / SAMPLE_RATE
            raise AudioError(
                audio.name,
                f"{duration:.2f} s of audio is too short for a segment of musicnn; it needs "
                f"{needed:.2f} s",
            )
        embeddings = np.concatenate(blocks)
        return (network.tag(embeddings) if self.output == "tags" else embeddings)[:, None]

    def _read(self, audio: AudioFile) -> Iterator[np.ndarray]:
        """Yield the patches of a track in blocks."""
        if self.n_segments is not None and self.placement == "spread":
            most = self.n_segments
            yield from at_length(
                audio, lambda n: [_read_patches(audio, i, i + 1) for i in _central_patches(n, most)]
            )
            return
        for first in itertools.count(0, _BLOCK_PATCHES):
            last = min(first + _BLOCK_PATCHES, self.n_segments or first + _BLOCK_PATCHES)
            patches = _read_patches(audio, first, last)
            yield patches
            if len(patches) < last - first or last == self.n_segments:
                return

    def _check_parameters(self) -> None:
        super()._check_parameters()
        _published(self.weights)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Get output feature names, along the last axis.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            Names of the dimensions of the embedding, or the tags.
        """
        if self.output == "tags":
            return np.array(TAGS[self.weights], dtype=object)
        return numbered(f"musicnn_{self.weights.lower()}", N_EMBEDDING)


@lru_cache(maxsize=2)
def _published(weights: str) -> Musicnn:
    """Load the network from the installed musicnn, which takes a tenth of a second.

    Raises
    ------
    ImportError
        If musicnn is not installed, has a different version, or its files cannot be read.
    """
    try:
        found = metadata.distribution("musicnn")
    except metadata.PackageNotFoundError:
        raise _not_installed("which is not installed") from None
    if found.version != MUSICNN_VERSION:
        raise _not_installed(f"but musicnn {found.version} is installed")
    try:
        # The name of the checkpoint is empty, so that its index is named ".index".
        arrays = read_checkpoint(f"{found.locate_file('musicnn')}/{weights}_musicnn/")
    except (OSError, ValueError) as error:
        raise _not_installed(f"whose files cannot be read ({error})") from error
    return Musicnn(arrays)


def musicnn_is_installed() -> bool:
    """Return whether the weights of musicnn can be used."""
    try:
        _published("MSD")
    except ImportError:
        return False
    return True


def _not_installed(reason: str) -> ImportError:
    return ImportError(
        f"MusicnnEmbedder needs the weights of musicnn {MUSICNN_VERSION}, {reason}; run "
        f"'pip install --no-deps musicnn=={MUSICNN_VERSION}'. The weights are under the ISC "
        "license. Without --no-deps, pip would look for a NumPy below 1.17, which is not needed",
        name="musicnn",
    )


def _central_patches(n_samples: int, n_segments: int) -> list[int]:
    """Return the patch at the center of each of at most `n_segments` equal parts of a track."""
    n_patches = n_segment_frames(n_samples, HOP_LENGTH) // N_FRAMES
    n = min(n_segments, n_patches)
    return [(2 * i + 1) * n_patches // (2 * n) for i in range(n)]


def _read_patches(audio: AudioFile, first: int, last: int) -> np.ndarray:
    """Compute the log-mel spectrograms of the patches from `first` to `last` (exclusive).

    They equal the corresponding part of the spectrogram of the whole file: one hop of samples
    before the interval is read for its first frame.

    Returns
    -------
    patches : float32 ndarray of shape (n_patches, 187, 96)
        Fewer patches than requested at the end of the file; NaN for those without a signal.
    """
    before = min(first, 1)  # frames
    start, stop = first * N_FRAMES - before, last * N_FRAMES
    y = audio.read(start * HOP_LENGTH, stop * HOP_LENGTH)
    bank = mel_bank(SAMPLE_RATE, N_FFT, N_MELS)
    [power] = band_powers(y, bank, n_fft=N_FFT, hop_length=HOP_LENGTH)
    n = min((len(power) - before) // N_FRAMES, last - first)
    x = power[before : before + n * N_FRAMES]
    x *= np.float32(10000)
    x += 1
    np.log(x, out=x)
    x *= np.float32(1 / np.log(10))
    x = x.reshape(n, N_FRAMES, N_MELS)
    length = N_FRAMES * HOP_LENGTH
    for i, patch in enumerate(x):
        offset = before * HOP_LENGTH + i * length
        if not has_signal(y[offset : offset + length], SAMPLE_RATE):
            patch[:] = np.nan
    return x


def _embed(network: Musicnn, patches: np.ndarray) -> np.ndarray:
    """Return the embeddings of patches; NaN for patches of NaN."""
    embeddings = np.full((len(patches), N_EMBEDDING), np.nan, np.float32)
    exists = ~np.isnan(patches[:, 0, 0])
    embeddings[exists] = network.embed(patches[exists])
    return embeddings
