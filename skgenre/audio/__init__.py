"""Reading of audio files as mono float32 samples."""

from .errors import AudioError
from .files import LARGEST_SAMPLE, AudioFile, load_audio
from .sources import name_of

__all__ = ["LARGEST_SAMPLE", "AudioError", "AudioFile", "load_audio", "name_of"]
