"""The screen of column sets: the same errors on either side of the Gram matrix, and few of them for many columns."""

import numpy as np
import pytest

from embank.fit import column_screening as screening
from embank.fit.column_screening import PENALTIES, gather, prune
from embank.heads.ridge import leave_one_out
from embank.heads.spectrum import principal, spectrum, standardised


def rows(texts, widths, seed=0):
    """Columns of which the first tells the class."""
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=texts)
    columns = {str(at): random.normal(size=(texts, width)).astype(np.float32) for at, width in enumerate(widths)}
    columns["0"][:, :3] += 2 * np.eye(3, dtype=np.float32)[labels]
    return columns, np.eye(3)[labels]


def plain_error(columns, names, targets):
    found = spectrum(gather(columns, names))
    return min(float(np.square(leave_one_out(found, targets, one) - targets).mean()) for one in PENALTIES)


@pytest.mark.parametrize("widths", [(20, 30, 10), (90, 80, 70), (150, 20, 10)])
def test_errors_are_those_of_a_fit_on_the_columns_themselves(widths):
    columns, targets = rows(120, widths)
    screen = screening._Screen({name: standardised(column)[0] for name, column in columns.items()}, targets)
    names = tuple(columns)
    assert screen.error(names) == pytest.approx(plain_error(columns, names, targets), rel=1e-3)
    for out, found in zip(names, screen.without_each(names), strict=True):
        left = tuple(name for name in names if name != out)
        assert found == pytest.approx(plain_error(columns, left, targets), rel=1e-3)


def test_coordinates_from_products_are_those_from_rows_but_for_signs():
    columns, _ = rows(40, (100,))
    standard = standardised(columns["0"])[0]
    one, other = spectrum(columns["0"]), principal(standard @ standard.T)
    assert np.allclose(one.variances, other.variances, rtol=1e-3)
    assert np.allclose(np.abs(one.rows[:, :20]), np.abs(other.rows[:, :20]), atol=2e-2)


@pytest.mark.parametrize("widths", [(40, 40, 40), (400, 400, 400)])
def test_columns_that_tell_nothing_are_left_out_and_the_one_that_tells_is_kept(widths):
    columns, targets = rows(300, widths)
    assert prune(columns, targets) == ("0",)


def test_many_columns_cost_few_fits_of_few_rows(monkeypatch):
    columns, targets = rows(500, (32,) * 20)
    sizes = []

    def counted(products):
        sizes.append(len(products))
        return principal(products)

    monkeypatch.setattr(screening, "principal", counted)
    assert "0" in prune(columns, targets)
    assert len(sizes) < 110, "one after another they would be 210"
    assert len(screening._sample(3000, 4)) == 3000
    assert len(screening._sample(3000, 40)) < 1000
