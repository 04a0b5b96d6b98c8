"""Ready pipelines by name."""

from __future__ import annotations

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler
from sklearn.svm import SVC


def _even_out():
    """Take out the skew that features have, variances above all."""
    # Scaled before, since powers of large numbers overflow.
    return [StandardScaler(), PowerTransformer()]


def _knn(random_state):
    # Brute force: no slower at this size, and a model file can hold it (see persistence.py).
    return [StandardScaler(), KNeighborsClassifier(n_neighbors=1, algorithm="brute")]


def _svm(random_state):
    return [StandardScaler(), SVC(C=10, random_state=random_state)]


def _logistic(random_state):
    return [*_even_out(), LogisticRegression(C=0.1, max_iter=1000)]


def _lda(random_state):
    # Shrunken, since there are about as many features as tracks of a genre.
    return [*_even_out(), LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")]


def _forest(random_state):
    return [RandomForestClassifier(n_estimators=500, random_state=random_state)]


def _boosting(random_state):
    return [HistGradientBoostingClassifier(random_state=random_state)]


#: Steps of each baseline behind the imputer.
_BASELINES = {
    "knn": _knn,
    "svm": _svm,
    "logistic": _logistic,
    "lda": _lda,
    "forest": _forest,
    "boosting": _boosting,
}


def make_baseline(name: str = "svm", *, random_state=None) -> Pipeline:
    """Make a classical model with the scaling that suits it, for tables of features.

    Parameters
    ----------
    name : str, default="svm"
        Which model:

        - ``"knn"``: standard scaling, the nearest neighbour;
        - ``"svm"``: standard scaling, support vectors with a Gaussian kernel and C=10;
        - ``"logistic"``: standard scaling, power transform, logistic regression with C=0.1;
        - ``"lda"``: standard scaling, power transform, linear discriminants with Ledoit and
          Wolf's shrinkage;
        - ``"forest"``: 500 random trees;
        - ``"boosting"``: histogram gradient boosting.
    random_state : int, RandomState instance or None, default=None
        Seed of the models that draw random numbers.

    Returns
    -------
    model : Pipeline
        Takes rows of features: a table of :func:`skgenre.datasets.load_gtzan_features`, or
        what :class:`skgenre.TrackFeatures` or :class:`skgenre.SegmentSummary` give, behind
        which it can stand in a pipeline. Missing values, as the rows of unreadable files, are
        filled with the means of the training rows.

    Raises
    ------
    ValueError
        For an unknown name.

    Notes
    -----
    How they fare on GTZAN is in the documentation, page "Figures measured on GTZAN".

    Examples
    --------
    >>> from skgenre import MFCCSegmenter, SegmentSummary, make_baseline
    >>> from sklearn.pipeline import make_pipeline
    >>> model = make_pipeline(MFCCSegmenter(), SegmentSummary(), make_baseline("logistic"))
    """
    if name not in _BASELINES:
        raise ValueError(f"There is no baseline {name!r}; there are {list(_BASELINES)}")
    return make_pipeline(SimpleImputer(), *_BASELINES[name](random_state))
