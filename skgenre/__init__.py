"""scikit-learn estimators for music genre classification.

Public names are listed in ``__init__.pyi`` and imported on first use, so that ``import skgenre``
is fast and loads neither librosa nor TensorFlow.
"""

from importlib.metadata import version

import lazy_loader

__version__ = version("skgenre")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
del lazy_loader, version
