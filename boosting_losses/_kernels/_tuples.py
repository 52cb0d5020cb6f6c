"""Conversion of arrays to tuples, the fastest way to return K numbers from a kernel to Python code.

Compiled code creates all floats of a tuple at once. An array would cost an additional object and a call of ``tolist``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba.core import config, types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic

from .._types import Array

# Some names of these modules are missing from Numba's annotations.
_config: Any = config
_types: Any = types


def _interpreted(array: Array, start: int, length: int) -> tuple[float, ...]:
    return tuple(array[start : start + length].tolist())


def _compiled(context: Any, array: Any, start: Any, length: Any) -> Any:
    if not isinstance(length, _types.IntegerLiteral):
        raise RequireLiteralValue("length must be a constant")
    size = length.literal_value
    result = _types.UniTuple(array.dtype, size)

    def load_each(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # Load each number once. Numba's to_fixed_tuple copies the whole tuple for each number, at quadratic cost.
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        first = builder.gep(data, [arguments[1]])
        numbers = [builder.load(builder.gep(first, [context.get_constant(_types.intp, k)])) for k in range(size)]
        return context.make_tuple(builder, signature.return_type, numbers)

    return result(array, _types.intp, length), load_each


#: Returns ``length`` numbers of a contiguous array from ``start`` on. In compiled code ``length`` must be a constant < 1000.
as_tuple = cast(
    Callable[[Array, int, int], tuple[float, ...]], _interpreted if _config.DISABLE_JIT else intrinsic(_compiled)
)
