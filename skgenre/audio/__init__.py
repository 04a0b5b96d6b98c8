"""Reading of audio files as mono float32 samples."""

from .errors import AudioError
from .files import LARGEST_SAMPLE, AudioFile, at_length, load_audio
from .sources import SAMPLES_REMEDY, name_of

__all__ = [
    "LARGEST_SAMPLE",
    "SAMPLES_REMEDY",
    "AudioError",
    "AudioFile",
    "at_length",
    "load_audio",
    "name_of",
]
