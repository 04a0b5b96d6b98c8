"""Model files for fitted pipelines, without pickle."""

from .archive import ModelFileError
from .models import describe, load, save

__all__ = ["ModelFileError", "describe", "load", "save"]
