"""Passing of groups and sample weights to the parts of a model, with scikit-learn's routing."""

from __future__ import annotations

from typing import Any

import sklearn
from sklearn.base import is_classifier
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import has_fit_parameter

#: Name under which weights are routed to parts that have no request of their own. The name
#: ``sample_weight`` would also reach scorers and transformers, for which a request is then missing.
_WEIGHT = "skgenre_sample_weight"


def route(model, **metadata: Any) -> tuple[dict[str, Any], bool]:
    """Pass metadata to all parts of a model that accept them, whatever scikit-learn's settings.

    Groups are passed to all parts that accept them, and weights to all classifiers that do, except
    to those for which the user has set the request to False.

    Parameters
    ----------
    model : estimator
        The model. Requests are set in place.
    **metadata : array-like or None
        ``groups`` and ``sample_weight``. None is not passed.

    Returns
    -------
    params : dict
        Keyword arguments of ``model.fit``. Metadata that no part accepts are omitted.
    routed : bool
        Whether metadata routing has to be enabled in the call of ``model.fit``.
    """
    given = {name: values for name, values in metadata.items() if values is not None}
    own = _requests(model)
    direct = {
        name: values
        for name, values in given.items()
        if has_fit_parameter(model, name) and own.get(name) is not False
    }
    if direct.keys() == given.keys():
        return direct, False
    try:
        return _request(model, given), True
    except NotImplementedError:  # for example AdaBoostClassifier
        return direct, False


def _request(model, given: dict[str, Any]) -> dict[str, Any]:
    """Set the requests for metadata, and return the keyword arguments of ``model.fit``."""
    names = {name: _WEIGHT if name == "sample_weight" else name for name in given}
    with sklearn.config_context(enable_metadata_routing=True):
        for part in _parts(model):
            requests = _requests(part)
            for name, alias in names.items():
                takes = name == "groups" or is_classifier(part)
                if takes and requests.get(name, False) is not False:
                    part.set_fit_request(**{name: alias})
                elif name in requests and requests[name] is None:
                    part.set_fit_request(**{name: False})
        router = MetadataRouter(owner="skgenre").add(
            estimator=model, method_mapping=MethodMapping().add(caller="fit", callee="fit")
        )
        named = {names[name]: values for name, values in given.items()}
        taken = {name: named[name] for name in router.consumes("fit", named)}
        return dict(process_routing(router, "fit", **taken).estimator.fit) if taken else {}


def _parts(model) -> list:
    """Return a model and the estimators in it."""
    inner = model.get_params().values() if hasattr(model, "get_params") else ()
    return [part for part in [model, *inner] if hasattr(part, "fit")]


def _requests(part) -> dict[str, bool | str | None]:
    """Return what an estimator requests in ``fit``: None where no request is set."""
    # Estimators without metadata of their own lack the method.
    return part._get_metadata_request().fit.requests if hasattr(part, "set_fit_request") else {}


def fit_with_groups(model, X, y, groups) -> Any:
    """Fit a model, passing groups to all of its parts that accept them; return the model.

    If each sample is a group of its own, nothing is known about groups and none are passed.
    """
    params, routed = route(model, groups=groups if len(set(groups)) < len(groups) else None)
    with sklearn.config_context(enable_metadata_routing=routed):
        return model.fit(X, y, **params)
