"""Which sums do rows come down to that lie in partitions, on many machines perhaps?

Each partition gives the patterns of its subjects and their cross-products; here they are added. A subject's rows must
lie together, so that Dask first brings them together, and keeps the columns of the model where they then are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula, ModelSpecs
from numpy.typing import NDArray
from scipy import sparse

from analysis.mmrm.design import EqualMeans, Numbers, design_of, is_fitted_to_rows, spec_of
from analysis.mmrm.products import Summed, gram_of, offset_of
from analysis.mmrm.reading import SAMPLED_ROWS, Patterns, Rows, RowsInMemory, Variables, distinct_patterns
from analysis.partitions import of_partitions
from analysis.results import BadInput, CannotEstimate

Factors = dict[str, pd.CategoricalDtype]


def summed_over_partitions(variables: Variables, data: Any, equal_means: EqualMeans | None) -> Summed:
    """As `products.summed`, of a Dask frame. Raises BadInput and CannotEstimate."""
    declared = _declared(variables, data)
    together = data[variables.names].shuffle(variables.subject).persist()
    sampled = max(1, SAMPLED_ROWS // together.npartitions)
    looks = of_partitions(partial(_looked_at, variables, sampled), together)
    if not any(len(look.few) for look in looks):
        raise CannotEstimate("no row has the outcome and all covariates")
    factors = {name: _merged(declared.get(name), [look.levels[name] for look in looks]) for name in looks[0].levels}
    variables.check_levels(factors)
    few = pd.concat([look.few for look in looks]).astype(factors)
    spec = spec_of(variables, few, equal_means)
    _refuse_what_needs_all_rows(spec, factors)
    sample = design_of(variables, RowsInMemory.of(variables, few, {}), spec, equal_means)
    offset = offset_of(sample, few)
    shares = of_partitions(partial(_share, variables, factors, spec, equal_means, offset), together)
    seen, places = distinct_patterns(np.concatenate([share.seen for share in shares]))
    patients = np.bincount(places, np.concatenate([share.patients for share in shares])).astype(np.int64)
    sums, excluded = _total([look.sums for look in looks]), _total([look.excluded for look in looks])
    rows = RowsInPartitions(variables, factors, together, few, seen, patients, sums, excluded)
    return Summed(design_of(variables, rows, spec, equal_means), _added(shares, seen, places), offset)


@dataclass(frozen=True, eq=False, repr=False)
class _Look:
    """What must be known of all partitions before one can be summed.

    levels: that rows have, of each factor. few: some rows. sums: of each number. excluded: rows, by reason.
    """

    levels: dict[str, list[Any]]
    few: pd.DataFrame
    sums: dict[str, float]
    excluded: dict[str, int]


@dataclass(frozen=True, eq=False, repr=False)
class _Share:
    """One partition's patterns, their patients and products, in its own order of patterns."""

    seen: NDArray[np.bool_]
    patients: NDArray[np.int64]
    gram: sparse.csr_array


@dataclass(frozen=True, eq=False, repr=False)
class RowsInPartitions(Rows):
    """together: the Dask frame in which a subject's rows lie in one partition."""

    variables: Variables
    factors: Factors
    together: Any
    few: pd.DataFrame
    seen: NDArray[np.bool_]
    patients: NDArray[np.int64]
    sums: dict[str, float]
    excluded: dict[str, int]

    def mean(self, name: str) -> float:
        return self.sums[name] / self.number

    def pieces(self) -> Iterator[tuple[pd.DataFrame, Patterns]]:
        """One partition after the other is fetched; only some kinds of inference ask for rows."""
        known = {row.tobytes(): at for at, row in enumerate(np.packbits(self.seen, axis=1))}
        for partition in range(self.together.npartitions):
            rows = _rows(self.variables, self.factors, self.together.partitions[partition].compute())
            if rows is not None:
                places = np.array([known[row.tobytes()] for row in np.packbits(rows.seen, axis=1)])
                for frame, patterns in rows.pieces():
                    yield frame, places[patterns]


def _declared(variables: Variables, data: Any) -> dict[str, list[Any]]:
    """The order of the levels of every variable that is a category. Raises BadInput."""
    found = {}
    for name in variables.names:
        if isinstance(data[name].dtype, pd.CategoricalDtype):
            if not data[name].cat.known:
                raise BadInput(
                    f"{name} has categories that Dask does not know before it has seen all rows.\n"
                    f"  Name them in their order: data[{name!r}].cat.set_categories([...]); or give it as text."
                )
            found[name] = data[name].dtype.categories.tolist()
    return found


def _looked_at(variables: Variables, sampled: int, part: pd.DataFrame) -> _Look:
    frame, excluded = variables.complete(part)
    factors = variables.factors(frame)
    levels = {name: dtype.categories.tolist() for name, dtype in factors.items()}
    numbers = [name for name in variables.names if name not in factors and name != variables.subject]
    few = frame.iloc[:: max(1, len(frame) // sampled)]
    return _Look(levels, few, {name: float(frame[name].sum()) for name in numbers}, excluded)


def _total(amounts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: sum(each[name] for each in amounts) for name in amounts[0]}


def _merged(declared: Sequence[Any] | None, levels: Sequence[Sequence[Any]]) -> pd.CategoricalDtype:
    """The levels of all partitions: in the order that is declared, else sorted."""
    used = {level for some in levels for level in some}
    return pd.CategoricalDtype(sorted(used) if declared is None else [level for level in declared if level in used])


def _refuse_what_needs_all_rows(spec: ModelSpecs, factors: Factors) -> None:
    """Raises BadInput."""
    if is_fitted_to_rows(spec):
        raise BadInput("a term of the formula is fitted to all rows, as center() is.\n  Make it a column first.")
    for term, (_, state) in spec.rhs.encoder_state.items():
        if "categories" in state and not Formula(f"0 + {term}").required_variables <= set(factors):
            raise BadInput(f"{term} makes levels of a number.\n  Make it a column of text or categories first.")


def _rows(variables: Variables, factors: Factors, part: pd.DataFrame) -> RowsInMemory | None:
    frame, excluded = variables.complete(part)
    return None if frame.empty else RowsInMemory.of(variables, frame.astype(factors), excluded)


def _share(
    variables: Variables,
    factors: Factors,
    spec: ModelSpecs,
    equal_means: EqualMeans | None,
    offset: Numbers,
    part: pd.DataFrame,
) -> _Share | None:
    rows = _rows(variables, factors, part)
    if rows is None:
        return None
    return _Share(rows.seen, rows.patients, gram_of(design_of(variables, rows, spec, equal_means), offset))


def _added(shares: Sequence[_Share], seen: NDArray[np.bool_], places: Patterns) -> sparse.csr_array:
    """The products of all, by the patterns of all; places: of each share's patterns among them, one after another."""
    squares = seen.shape[1] ** 2
    ends = np.cumsum([len(share.seen) for share in shares])
    rows, columns, values = [], [], []
    for share, mine in zip(shares, np.split(places, ends[:-1]), strict=True):
        gram = share.gram.tocoo()
        pattern, within = np.divmod(gram.row, squares)
        rows.append(mine[pattern] * squares + within)
        columns.append(gram.col)
        values.append(gram.data)
    indices = (np.concatenate(rows), np.concatenate(columns))
    shape = (len(seen) * squares, shares[0].gram.shape[1])
    return sparse.csr_array((np.concatenate(values), indices), shape=shape)
