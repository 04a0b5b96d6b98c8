"""Write ``docs/scikit_learn_checks.rst``: scikit-learn's checks of every estimator, counted.

``make checks`` runs it. scikeras' ``KerasClassifier`` around the same ANN is checked in the same
run, for comparison.
"""

import sys
import warnings
from collections import Counter
from pathlib import Path

import sklearn
from sklearn.utils.estimator_checks import check_estimator

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.registry import CHECKED, EXPECTED_FAILURES

HEAD = """\
scikit-learn's estimator checks
===============================

This page lists the results of ``sklearn.utils.estimator_checks.check_estimator`` for the networks
and tensor transformers of skgenre, and for scikeras' ``KerasClassifier`` with the same layers as
``ANNClassifier``. It was written by ``make checks`` with scikit-learn {sklearn}, scikeras
{scikeras}, Keras {keras} and TensorFlow {tensorflow}. *Skipped* are checks that scikit-learn does
not run, such as those of array API input if ``SCIPY_ARRAY_API`` is not set.

.. list-table::
   :header-rows: 1

   * - estimator
     - checks
     - passed
     - expected failures
     - other failures
     - skipped
"""

ROW = """\
   * - {name}
     - {n}
     - {passed}
     - {xfail}
     - {failed}
     - {skipped}
"""


def scikeras_around_the_same_ann():
    """The first network of the registry, as scikeras' users write it."""
    import keras
    from scikeras.wrappers import KerasClassifier

    ours = CHECKED[0]

    def build(meta):
        model = keras.Sequential([keras.Input((meta["n_features_in_"],))])
        for units in ours.hidden_units:
            model.add(
                keras.layers.Dense(units, "relu", kernel_regularizer=keras.regularizers.L2(ours.l2))
            )
            model.add(keras.layers.Dropout(ours.dropout))
        model.add(keras.layers.Dense(max(meta.get("n_classes_", 2), 2), "softmax"))
        return model

    return KerasClassifier(
        model=build,
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
        optimizer__learning_rate=ours.learning_rate,
        epochs=ours.epochs,
        batch_size=ours.batch_size,
        random_state=0,
        verbose=0,
    )


def row(estimator, name):
    expected = EXPECTED_FAILURES.get(type(estimator).__name__, {})
    results = check_estimator(estimator, on_fail=None, expected_failed_checks=expected)
    counts = Counter(result["status"] for result in results)  # 0 for those that do not occur
    failures = [result["check_name"] for result in results if result["status"] == "failed"]
    statuses = {status: counts[status] for status in ("passed", "xfail", "failed", "skipped")}
    text = ROW.format(name=name, n=len(results), **statuses)
    return text, failures


def main():
    import keras
    import scikeras
    import tensorflow

    warnings.simplefilter("ignore")
    text = HEAD.format(
        sklearn=sklearn.__version__,
        scikeras=scikeras.__version__,
        keras=keras.__version__,
        tensorflow=tensorflow.__version__,
    )
    notes = ["\nExpected failures\n-----------------\n\n"]
    expected: dict[tuple, list] = {}
    for estimator in CHECKED:
        name = type(estimator).__name__
        rows, failures = row(estimator, f"``{name}``")
        text += rows
        assert not failures, (name, failures)
        for failure in EXPECTED_FAILURES.get(name, {}).items():
            expected.setdefault(failure, []).append(name)
    for (check, reason), names in expected.items():
        notes.append(f"- ``{check}`` ({', '.join(names)}): {reason}.\n")
    rows, failures = row(
        scikeras_around_the_same_ann(), "scikeras' ``KerasClassifier``, the same ANN"
    )
    text += rows
    notes.append("\nOther failures\n--------------\n\n")
    notes.append(
        "scikeras' ``KerasClassifier`` fails the following checks. A check that runs more\n"
        "than once is listed once.\n\n"
    )
    notes += [f"- ``{failure}``\n" for failure in sorted(set(failures))]
    (ROOT / "docs" / "scikit_learn_checks.rst").write_text(text + "".join(notes))


if __name__ == "__main__":
    main()
