"""Which columns of the data does a formula need?"""

import ast
from collections.abc import Collection
from typing import Any


def columns_in(side: Any, columns: Collection[Any]) -> set[str]:
    """The variables of one side of a parsed formula; of those inside a transformation, what the data have.

    side: of a formulaic Formula. columns: of the data. Formulaic forgets the variables of center, scale and poly.
    """
    written = {name for term in side for factor in term.factors for name in _names(factor.expr)}
    return {str(each) for each in side.required_variables} | {name for name in written if name in columns}


def _names(expression: str) -> set[str]:
    try:
        return {node.id for node in ast.walk(ast.parse(expression, mode="eval")) if isinstance(node, ast.Name)}
    except SyntaxError:  # a column's name that is no Python name
        return set()
