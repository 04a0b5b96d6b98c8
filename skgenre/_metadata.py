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


def route_requested(owner, metadata: dict[str, Any], others: dict[str, Any]) -> dict | None:
    """Return what the estimator of a meta-estimator requests in ``fit``, if the user has set that.

    Parameters
    ----------
    owner : meta-estimator
        Its default estimator, for ``estimator=None``, has no requests.
    metadata : dict
        ``sample_weight`` and ``groups``. None is not passed.
    others : dict
        Metadata for which a request is required.

    Returns
    -------
    params : dict or None
        Keyword arguments of ``owner.estimator.fit``. None if metadata routing is disabled or
        nothing is given.

    Raises
    ------
    TypeError
        If there are `others` and metadata routing is disabled.
    """
    given = {name: v for name, v in {**metadata, **others}.items() if v is not None}
    if sklearn.get_config()["enable_metadata_routing"] and owner.estimator is not None and given:
        return dict(process_routing(owner, "fit", **given).estimator.fit)
    if others:
        raise TypeError(
            f"fit got the arguments {sorted(others)}, which require metadata routing: "
            "sklearn.set_config(enable_metadata_routing=True)"
        )
    return None


def route(model, *, routed: bool = False, **metadata: Any) -> tuple[dict[str, Any], bool]:
    """Pass metadata to all parts of a model that accept them, whatever scikit-learn's settings.

    Groups are passed to all parts that accept them, and weights to all classifiers that do.
    Requests that the user has set are respected.

    Parameters
    ----------
    model : estimator
        The model. Requests are set in place.
    routed : bool, default=False
        Whether metadata routing has to be enabled anyway, for other metadata.
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
    if direct.keys() == given.keys() and not (routed and hasattr(model, "get_metadata_routing")):
        return direct, routed
    try:
        return _request(model, given), True
    except NotImplementedError:  # for example AdaBoostClassifier
        return direct, routed


def _request(model, given: dict[str, Any]) -> dict[str, Any]:
    """Set the missing requests for metadata, and return the keyword arguments of ``model.fit``."""
    weight = weight_name(model) or _WEIGHT
    names = {name: weight if name == "sample_weight" else name for name in given}
    with sklearn.config_context(enable_metadata_routing=True):
        for part in _parts(model):
            missing = {
                name: (True if alias == name else alias) if _takes(part, name) else False
                for name, alias in names.items()
                if _requests(part).get(name, False) is None
            }
            if missing:
                part.set_fit_request(**missing)
        router = MetadataRouter(owner="skgenre").add(
            estimator=model, method_mapping=MethodMapping().add(caller="fit", callee="fit")
        )
        named = {names[name]: values for name, values in given.items()}
        taken = {name: named[name] for name in router.consumes("fit", named)}
        return dict(process_routing(router, "fit", **taken).estimator.fit) if taken else {}


def _takes(part, name: str) -> bool:
    return name == "groups" or is_classifier(part)


def _parts(model) -> list:
    """Return a model and the estimators in it."""
    inner = model.get_params().values() if hasattr(model, "get_params") else ()
    return [part for part in [model, *inner] if hasattr(part, "fit")]


def _requests(part) -> dict[str, bool | str | None]:
    """Return what an estimator requests in ``fit``: None where no request is set."""
    # Estimators without metadata of their own lack the method.
    return part._get_metadata_request().fit.requests if hasattr(part, "set_fit_request") else {}


def find_weights(model, params: dict[str, Any]) -> Any:
    """Return the weights of the classifier in a model among the arguments of ``model.fit``."""
    # An estimator that requests them under an alias itself gets them as `sample_weight`.
    return params.get(weight_name(model) or "sample_weight", params.get("sample_weight"))


def weight_name(model) -> str | None:
    """Return the name under which the classifier in a model requests sample weights, if any."""
    while (inner := _inner(model)) is not None:
        model = inner
    request = _requests(model).get("sample_weight")
    return request if isinstance(request, str) else "sample_weight" if request else None


def _inner(model) -> Any:
    """Return the last step of a pipeline, or the estimator of a meta-estimator."""
    return model.steps[-1][1] if hasattr(model, "steps") else getattr(model, "estimator", None)


def weight_names(model) -> set[str]:
    """Return all names under which the parts of a model may get sample weights."""
    aliases = (_requests(part).get("sample_weight") for part in _parts(model))
    return {"sample_weight", _WEIGHT, *(alias for alias in aliases if isinstance(alias, str))}


def make_router(owner) -> MetadataRouter:
    """Return the routing of a meta-estimator that also consumes metadata itself.

    Its default estimator, for ``estimator=None``, requests nothing: it gets what its owner gets.
    """
    router = MetadataRouter(owner=type(owner).__name__).add_self_request(owner)
    if owner.estimator is not None:
        fit = MethodMapping().add(caller="fit", callee="fit")
        router.add(estimator=owner.estimator, method_mapping=fit)
    return router
