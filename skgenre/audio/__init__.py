"""Audio files -> mono float32 samples at one rate."""

from .errors import AudioError
from .files import AudioFile, load_audio
from .sources import name_of

__all__ = ["AudioError", "AudioFile", "load_audio", "name_of"]
