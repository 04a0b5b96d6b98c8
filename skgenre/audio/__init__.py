"""Audio files -> mono float32 samples at one rate."""

from .errors import AudioError
from .files import LARGEST_SAMPLE, AudioFile, load_audio
from .sources import name_of

__all__ = ["LARGEST_SAMPLE", "AudioError", "AudioFile", "load_audio", "name_of"]
