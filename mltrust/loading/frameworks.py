"""Arrays and tensors that stand on memory which is there already: nothing is copied, unless to another device."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mltrust.errors import UsageError

Shape = tuple[int, ...]
Make = Callable[[memoryview, str, Shape], Any]
"""Makes an array of memory, a dtype as safetensors spells it, and a shape."""

_NUMPY = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "I16": "<i2", "U16": "<u2", "F16": "<f2", "I32": "<i4", "U32": "<u4",
    "F32": "<f4", "C64": "<c8", "F64": "<f8", "I64": "<i8", "U64": "<u8",
}  # fmt: skip
_ML_DTYPES = {
    "BF16": "bfloat16", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
}  # fmt: skip
_TORCH = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "U16": "uint16", "F16": "float16", "I32": "int32",
    "U32": "uint32", "F32": "float32", "C64": "complex64", "F64": "float64", "I64": "int64", "U64": "uint64",
    **_ML_DTYPES,
}  # fmt: skip


def maker(framework: str, device: str, dtypes: set[str]) -> Make:
    """Return what makes arrays of `framework` on `device`; `UsageError` unless it can, of all `dtypes`."""
    if framework not in _MAKERS:
        raise UsageError(f"unknown framework {framework[:40]!a}", hint=f"Choose one of: {', '.join(_MAKERS)}.")
    return _MAKERS[framework](device, dtypes)


@contextmanager
def _otherwise(what: str) -> Iterator[None]:
    """Turn a framework's own errors into ours: each has limits of its own, such as how many dimensions there may be."""
    try:
        yield
    except (ValueError, RuntimeError, NotImplementedError, AssertionError) as error:  # torch raises any of them
        said = " ".join(str(error).split())[:200]
        raise UsageError(f"{what}: {said}") from error


@contextmanager
def _needing(extra: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed", hint=f"Install mltrust[{extra}].") from error


def _numpy(device: str, dtypes: set[str]) -> Make:
    if device != "cpu":
        raise UsageError(f"NumPy has no device {device[:40]!a}", hint="Load with framework='torch'.")
    with _needing("numpy"):
        import numpy
    known = {name: numpy.dtype(code) for name, code in _NUMPY.items() if name in dtypes}
    if not dtypes.isdisjoint(_ML_DTYPES):
        with _needing("numpy"):
            import ml_dtypes
        here = {name: getattr(ml_dtypes, each, None) for name, each in _ML_DTYPES.items() if name in dtypes}
        known |= {name: numpy.dtype(each) for name, each in here.items() if each is not None}
    _refuse_others(dtypes, set(known), "NumPy")

    def make(memory: memoryview, dtype: str, shape: Shape) -> Any:  # noqa: ANN401  # an array
        with _otherwise(f"NumPy cannot make an array of {dtype} in this shape"):
            if not memory:
                return numpy.empty(shape, known[dtype])
            return numpy.frombuffer(memory, known[dtype]).reshape(shape)

    return make


def _torch(device: str, dtypes: set[str]) -> Make:
    with _needing("torch"):
        import torch
    if sys.byteorder != "little":
        raise UsageError("tensors are little-endian, and torch takes them as this machine would spell them")
    with _otherwise(f"torch knows no device {device[:40]!a}"):
        target = torch.empty(0, device=device).device  # before anything is read: it may be known, and not here
    known = {name: getattr(torch, each) for name, each in _TORCH.items() if name in dtypes and hasattr(torch, each)}
    _refuse_others(dtypes, set(known), "torch")

    def make(memory: memoryview, dtype: str, shape: Shape) -> Any:  # noqa: ANN401  # a tensor
        with _otherwise(f"torch cannot make a tensor of {dtype} in this shape on {device[:40]!a}"):
            if not memory:
                return torch.empty(shape, dtype=known[dtype], device=target)
            return torch.frombuffer(memory, dtype=known[dtype]).reshape(shape).to(target)

    return make


def _refuse_others(dtypes: set[str], known: set[str], framework: str) -> None:
    if odd := sorted(dtypes - known):
        raise UsageError(f"{framework} has no dtype {odd[0][:40]!a}", hint="Load the other tensors by name.")


_MAKERS: dict[str, Callable[[str, set[str]], Make]] = {"numpy": _numpy, "torch": _torch}
