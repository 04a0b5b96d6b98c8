"""Changes of model files that their schema mostly allows, so that many load and predict."""

import inspect
from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, Options

from skgenre.persistence.allowed import ALLOWED, RANGES

from .model_files import pack, unpack

#: Narrower ranges than a file may have, since a prediction that is slow is nobody's concern here.
QUICK = {"sample_rate": (1000, 48_000), "n_fft": (2, 4096), "hop_length": (128, 1 << 16)}
NUMBERS = [0, 1, -1, 2, 3, 7, 100, 1000, 10**6, 0.5, 1e-300, -1e-3, 1e15, -1e15, 5e-324, 1.0]


def places(tree):
    """All places of a tree of JSON: what holds a value, and its key there."""
    found, stack = [], [tree]
    while stack:
        item = stack.pop()
        for key in item if isinstance(item, dict) else range(len(item)):
            found.append((item, key))
            if isinstance(item[key], dict | list):
                stack.append(item[key])
    return found


def number(rng, low=-(10**6), high=10**6, integer=True):
    """A number between bounds, most often near one or small."""
    value = rng.choice([low, low + 1, 0, 1, 2, 3, 10, 100, high - 1, high, 0.5, 1e-9])
    if rng.random() < 0.5:
        value = np.exp(rng.uniform(0, np.log(max(high, 2))))
    value = min(max(float(value), low), high)
    return round(value) if integer else value


def change_parameter(model, rng):
    """Set a parameter to another value that its class allows."""
    nodes = [item[key] for item, key in places([model]) if is_estimator(item[key])]
    node = nodes[rng.integers(len(nodes))]
    allowed = ALLOWED[node["class"]]
    names = list(inspect.signature(allowed.cls.__init__).parameters)[1:]
    names = [name for name in names if name not in ("args", "kwargs", "self", allowed.nested)]
    if not names:
        return
    name = names[rng.integers(len(names))]
    constraints = list(getattr(allowed.cls, "_parameter_constraints", {}).get(name, [Integral]))
    options = allowed.options.get(name)
    constraint = constraints[rng.integers(len(constraints))]
    low, high = {**RANGES, **QUICK}.get(name, (-(10**6), 10**6))
    if options is not None:
        value = options[rng.integers(len(options))]
    elif isinstance(constraint, Options):
        value = sorted(constraint.options, key=str)[rng.integers(len(constraint.options))]
    elif isinstance(constraint, Interval):
        low = low if constraint.left is None else max(low, constraint.left)
        high = high if constraint.right is None else min(high, constraint.right)
        value = number(rng, low, high, constraint.type is Integral)
    elif constraint == "boolean":
        value = bool(rng.random() < 0.5)
    elif constraint is None:
        value = None
    else:
        value = node["parameters"].get(name)
        if isinstance(value, list):
            value = change_list(value, rng)
        elif isinstance(value, dict) and "tuple" in value:
            value = {"tuple": change_list(value["tuple"], rng)}
        else:
            value = number(rng)
    node["parameters"][name] = value


def is_estimator(value):
    return isinstance(value, dict) and "parameters" in value and "class" in value


def change_list(values, rng):
    values = list(values)
    if not values:
        return values
    kind, at = rng.integers(4), int(rng.integers(len(values)))
    if kind == 0:
        del values[at]
    elif kind == 1:
        values.insert(at, values[int(rng.integers(len(values)))])
    elif kind == 2:
        values.reverse()
    else:
        values = values * int(rng.integers(2, 6))
    return values


def change_value(model, rng):
    """Change a number, a text or a list anywhere, or swap two values of the same kind."""
    found = places(model)
    item, key = found[rng.integers(len(found))]
    value = item[key]
    alike = [(i, k) for i, k in found if type(i[k]) is type(value)]
    if is_estimator(value) or (isinstance(value, str) and key != "class"):
        other, other_key = alike[rng.integers(len(alike))]
        if not isinstance(value, dict) or is_estimator(other[other_key]):
            item[key] = other[other_key] if isinstance(value, str) else dict(other[other_key])
    elif isinstance(value, bool):
        item[key] = not value
    elif isinstance(value, int | float):
        near = [value + 1, value - 1, value * 2, value // 2, -value]
        item[key] = [*NUMBERS, *near, *near][rng.integers(len(NUMBERS) + 10)]
    elif isinstance(value, list):
        item[key] = change_list(value, rng)


def change_values_of_an_array(arrays, rng):
    name = list(arrays)[rng.integers(len(arrays))]
    arrays[name] = array = arrays[name].copy()
    if not array.size:
        return
    if array.dtype.names:  # a field of the nodes of trees
        array = array[array.dtype.names[rng.integers(len(array.dtype.names))]]
    flat, kind = array.reshape(-1), rng.integers(9)
    some = rng.integers(array.size, size=int(rng.integers(1, 4)))
    floats = array.dtype.kind == "f"
    info = np.finfo(array.dtype) if floats else np.iinfo(array.dtype)
    if kind == 0:
        flat[some] = rng.choice([info.max, info.min, 0])
    elif kind == 1:
        flat[:] = rng.permutation(flat)
    elif kind == 2:
        flat[:] = flat[some[0]]
    elif kind == 3:
        flat[:] = np.sort(flat)
    elif kind == 4:
        flat[some] = flat[rng.integers(array.size, size=len(some))]
    elif kind == 5:
        flat[some] = flat[some] + 1
    elif kind == 6:
        flat[some] = info.tiny if floats else 1
    elif kind == 7:
        with np.errstate(over="ignore"):
            flat[:] = flat * (rng.choice([1e-30, 1e30, -1]) if floats else 1)
    else:
        flat[some] = -flat[some] if array.dtype.kind != "u" else flat[some]


def change_size(model, arrays, rng):
    """Make all that has a size, such as the number of classes or nodes, one of another size."""
    sizes = sorted({size for array in arrays.values() for size in array.shape})
    old = sizes[rng.integers(len(sizes))]
    new = int(rng.choice([old + 1, max(old - 1, 0), 1, 2, 0, 2 * old, 10 * old + 3]))
    if old * new > 10**6:
        return
    for name, array in arrays.items():
        for axis, size in enumerate(array.shape):
            if size == old and old:
                array = np.take(array, range(new), axis, mode="wrap")
        arrays[name] = np.ascontiguousarray(array)
    for item, key in places(model):
        if isinstance(item, dict) and type(item[key]) is int and item[key] == old:
            item[key] = new
        if key == "classes_" and len(item[key]) == old and isinstance(item[key][0], str):
            item[key] = [f"label{i:04}" for i in range(new)]


def mutate(path, target, rng):
    """Write a model file with a few changes, and checksums that are right."""
    manifest, arrays = unpack(path)

    for _ in range(rng.integers(1, 4)):
        kind = rng.random()
        if kind < 0.4 or not arrays:
            change_parameter(manifest["model"], rng)
        elif kind < 0.6:
            change_value(manifest["model"], rng)
        elif kind < 0.85:
            change_values_of_an_array(arrays, rng)
        else:
            change_size(manifest["model"], arrays, rng)
    target.write_bytes(pack(manifest, arrays))
