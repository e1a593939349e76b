"""Histograms in the bytes of a database's row."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.reporting.measures import MEASURES
from warmline.store.cells import MEASURE_NUMBERS, cells_of, decoded, encoded, merged

pytestmark = pytest.mark.unit

measured = st.lists(st.tuples(st.sampled_from(MEASURES), st.floats(0, 1e9)), max_size=40)


def told(cells):
    return [each.tolist() for each in (cells.keys, cells.counts, cells.numbers, cells.greatest_ms)]


@given(measured)
def test_what_is_written_is_read(values):
    cells = cells_of(values)
    assert told(decoded(encoded(cells))) == told(cells)


@given(st.lists(measured, max_size=5))
def test_merged_cells_are_those_of_all_values(samples):
    together = cells_of([value for sample in samples for value in sample])
    assert told(merged([cells_of(sample) for sample in samples])) == told(together)


@pytest.mark.parametrize("count", [255, 256, 65_535, 65_536, 2**32 - 1])
def test_counts_of_any_width_are_kept(count):
    many = replace(cells_of([("response", 812.0)]), counts=np.array([count]))
    assert decoded(encoded(many)).counts.tolist() == [count]


def test_every_measure_has_a_number_of_its_own():
    assert set(MEASURES) <= set(MEASURE_NUMBERS)
    assert len(set(MEASURE_NUMBERS.values())) == len(MEASURE_NUMBERS)
