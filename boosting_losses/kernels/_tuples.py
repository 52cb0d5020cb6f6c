"""From an array to a tuple: the form of K numbers that Python code takes out of a kernel fastest.

A tuple's floats are made by compiled code in one go; an array costs an object of its own and a call of ``tolist``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba.core import config, types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic

from ._jit import Array

# Numba's own annotations lack some of their names.
_config: Any = config
_types: Any = types


def _interpreted(array: Array, length: int) -> tuple[float, ...]:
    return tuple(array[:length].tolist())


def _compiled(context: Any, array: Any, length: Any) -> Any:
    if not isinstance(length, _types.IntegerLiteral):
        raise RequireLiteralValue("length must be a constant")
    size = length.literal_value
    result = _types.UniTuple(array.dtype, size)

    def load_each(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # One load per number: Numba's own to_fixed_tuple copies the whole tuple for each, a cost of size squared.
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        numbers = [builder.load(builder.gep(data, [context.get_constant(types.intp, k)])) for k in range(size)]
        return context.make_tuple(builder, signature.return_type, numbers)

    return result(array, length), load_each


#: The first ``length`` numbers of a contiguous array; a constant where the call is compiled, below 1000.
as_tuple = cast(
    Callable[[Array, int], tuple[float, ...]], _interpreted if _config.DISABLE_JIT else intrinsic(_compiled)
)
