"""Model files for fitted pipelines, without pickle."""

from .archive import ModelFileError
from .entries import SKOPS_TYPES
from .models import describe, load, save

__all__ = ["SKOPS_TYPES", "ModelFileError", "describe", "load", "save"]
