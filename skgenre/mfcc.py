"""Functions that compute MFCCs of samples in memory."""

from .features.filters import mel_filters
from .features.segments import n_segment_frames, segment_starts
from .features.spectra import mfcc, segment_mfcc

__all__ = ["mel_filters", "mfcc", "n_segment_frames", "segment_mfcc", "segment_starts"]
