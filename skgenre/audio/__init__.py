"""Reading of audio files as mono float32 samples."""

from .files import AudioFile, at_length, load_audio
from .levels import MIN_LEVEL, has_signal, why_too_large
from .sources import SAMPLES_REMEDY, AudioError, name_of

__all__ = [
    "MIN_LEVEL",
    "SAMPLES_REMEDY",
    "AudioError",
    "AudioFile",
    "at_length",
    "has_signal",
    "load_audio",
    "name_of",
    "why_too_large",
]
