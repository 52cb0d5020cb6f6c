"""The identity of a formula: its name, a digest of what is compiled into a loop, and a digest of its text."""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
import re
import textwrap
import types
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_PACKAGE = __name__.split(".", maxsplit=1)[0]


def name_of(function: Callable[..., object]) -> str:
    """Return a file name for a function: its module and qualified name, and the path of a script."""
    name = f"{function.__module__}.{function.__qualname__}"
    path = _code(function).co_filename
    if function.__module__ == "__main__" and Path(path).exists():  # the cell of a notebook has no file
        name += f"-{zlib.crc32(str(Path(path).resolve()).encode()):08x}"
    return re.sub(r"[^\w.-]", "_", name)


def is_of_package(function: Callable[..., object]) -> bool:
    """Return whether the digest of the package covers a function."""
    return function.__module__.split(".")[0] == _PACKAGE


def digest_of(function: Callable[..., object]) -> str:
    """Return a digest of the bytecode of a function, and of the functions and values that it refers to."""
    found = hashlib.sha256()
    for item in _parts(function, set()):
        found.update(repr(item).encode() + b"\0")
    return found.hexdigest()[:16]


def text_digest(function: Callable[..., object]) -> str | None:
    """Return a digest of the text of a function, and of the functions and numbers of its module that it refers to.

    Decorators, docstrings and comments do not count. Unlike bytecode, the text does not depend on the version of Python.
    Return None if there is no text.
    """
    try:
        return hashlib.sha256("\n".join(_texts(function, set())).encode()).hexdigest()[:16]
    except (OSError, TypeError, SyntaxError):
        return None


def _texts(function: Any, seen: set[int]) -> Iterator[str]:
    seen.add(id(function))
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if isinstance(definition, ast.FunctionDef):
        definition.decorator_list = []
        if ast.get_docstring(definition) is not None:
            definition.body = definition.body[1:]
    yield ast.unparse(definition)
    for name in sorted(set(_names(function.__code__))):
        value = function.__globals__.get(name)
        if isinstance(value, int | float):
            yield f"{name} = {value!r}"
        elif isinstance(value, types.FunctionType) and not is_of_package(value) and id(value) not in seen:
            yield from _texts(value, seen)


def with_compiled_helpers(function: Any, compiled: Callable[[Any], Any]) -> Any:
    """Return a copy of a function in which the functions of its module that it calls are compiled."""

    def replaced(value: Any) -> Any:
        if isinstance(value, types.FunctionType) and not is_of_package(value):
            return compiled(with_compiled_helpers(value, compiled))
        return value

    used = {name: function.__globals__.get(name) for name in _names(function.__code__)}
    cells = tuple(types.CellType(replaced(cell.cell_contents)) for cell in function.__closure__ or ())
    scope = function.__globals__ | {name: replaced(value) for name, value in used.items() if value is not None}
    copy = types.FunctionType(function.__code__, scope, function.__name__, function.__defaults__, cells or None)
    copy.__qualname__ = function.__qualname__
    return copy


def reason(function: Callable[..., object], error: str) -> str:
    """Return a message for a function that cannot be compiled, with the line that Numba's error names."""
    code = _code(function)
    path = Path(code.co_filename).name
    lines = {int(number) for file, number in re.findall(r'File "([^"]*)", line (\d+)', error) if file.endswith(path)}
    own = sorted(lines & {line for _, _, line in code.co_lines() if line is not None})
    where = ""
    if own:
        text = linecache.getline(code.co_filename, own[-1]).strip()
        where = f" because of line {own[-1]} of {path}: {text}" if text else f" because of line {own[-1]} of {path}"
    return (
        f"the formula {function.__qualname__} cannot be compiled{where}; it may use operators, comparisons, numbers, the"
        " functions of NumPy that the documentation of binary_loss lists, and functions of these"
    )


def _code(function: Any) -> types.CodeType:
    code: types.CodeType = getattr(function, "py_func", function).__code__
    return code


def _parts(value: Any, seen: set[int]) -> Iterator[object]:
    """Yield what determines the result of a function: code, constants, and the global values that its names refer to."""
    function = getattr(value, "py_func", value)  # the function of a Numba dispatcher
    if isinstance(function, types.FunctionType):
        if id(function) in seen:
            return
        seen.add(id(function))
        if is_of_package(function) and len(seen) > 1:
            yield function.__qualname__
            return
        yield from _code_parts(function.__code__)
        yield function.__defaults__
        for cell in function.__closure__ or ():
            yield from _parts(cell.cell_contents, seen)
        for name in _names(function.__code__):
            if name in function.__globals__:
                yield name
                yield from _parts(function.__globals__[name], seen)
    elif isinstance(value, (int, float, str, bool, tuple, types.NoneType)):
        yield value
    else:
        yield getattr(value, "__name__", type(value).__name__)


def _code_parts(code: types.CodeType) -> Iterator[object]:
    yield code.co_code
    yield code.co_names
    yield code.co_varnames
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code_parts(constant)
        else:
            yield constant


def _names(code: types.CodeType) -> list[str]:
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names += _names(constant)
    return names
