"""Histograms of every measure together, as cells, and their bytes in a row of roll-ups.

A cell is one bin of one measure, by `number of the measure * BINS + bin`. A row has some 24 cells for its
first turn, and some thousands after an hour of many.

The bytes: how many measures (u8) and how wide a count is (u8: 1, 2 or 4 bytes), then for each measure its
number (u8), its bins (u16) and its greatest value in ms (f64), then all bins (u16), then their counts; all
little-endian.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from warmline.reporting.histogram import BINS, bin_of
from warmline.reporting.measures import MEASURES

__all__ = ["MEASURE_NUMBERS", "NUMBERS", "Cells", "cells_of", "decoded", "encoded", "merged"]

MEASURE_NUMBERS: Final = {
    "response": 0,
    "response_simple": 1,
    "response_with_retrieval": 2,
    "speech_to_model": 3,
    "stage.endpointing": 4,
    "stage.transcription": 5,
    "stage.commit": 6,
    "stage.retrieval": 7,
    "stage.prompt": 8,
    "stage.model": 9,
    "stage.clause": 10,
    "stage.dispatch": 11,
    "stage.voice": 12,
    "stage.send": 13,
    "stage.delivery": 14,
    "span.endpointing": 15,
    "span.transcription": 16,
    "span.retrieval": 17,
    "span.model_first_text": 18,
    "span.model": 19,
    "span.first_clause": 20,
    "span.voice_first_audio": 21,
    "span.voice": 22,
    "span.delivery": 23,
}
"""What stands for a measure in databases: a new one gets a new number, and none is given twice."""

NUMBERS: Final = max(MEASURE_NUMBERS.values()) + 1
assert set(MEASURES) <= set(MEASURE_NUMBERS), "every measure needs a number"

_HEAD: Final = np.dtype([("number", "u1"), ("bins", "<u2"), ("greatest_ms", "<f8")])
_COUNT: Final = {1: "u1", 2: "<u2", 4: "<u4"}


@dataclass(frozen=True, slots=True)
class Cells:
    """Histograms of any number of measures."""

    keys: NDArray[np.int64]
    """Ascending, each once."""

    counts: NDArray[np.int64]
    """Of each key."""

    numbers: NDArray[np.int64]
    """Of the measures, ascending."""

    greatest_ms: NDArray[np.float64]
    """Of each number."""


def cells_of(measured: Iterable[tuple[str, float]]) -> Cells:
    """Return the histograms of values, given with their measures' names."""
    values = [(MEASURE_NUMBERS[measure], ms) for measure, ms in measured]
    keys = [number * BINS + bin_of(ms) for number, ms in values]
    return _summed(
        np.array(keys, np.int64),
        np.ones(len(keys), np.int64),
        np.array([number for number, _ in values], np.int64),
        np.array([ms for _, ms in values], np.float64),
    )


def merged(several: Sequence[Cells]) -> Cells:
    """Return the histograms of all values together."""
    if len(several) < 2:
        return several[0] if several else cells_of(())
    return _summed(
        np.concatenate([each.keys for each in several]),
        np.concatenate([each.counts for each in several]),
        np.concatenate([each.numbers for each in several]),
        np.concatenate([each.greatest_ms for each in several]),
    )


def encoded(cells: Cells) -> bytes:
    """Return the bytes."""
    numbers, bins = np.divmod(cells.keys, BINS)
    head = np.empty(len(cells.numbers), _HEAD)
    head["number"] = cells.numbers
    head["bins"] = np.searchsorted(numbers, cells.numbers, side="right") - np.searchsorted(
        numbers, cells.numbers, side="left"
    )
    head["greatest_ms"] = cells.greatest_ms
    most = int(cells.counts.max(initial=0))
    width = 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4
    return b"".join([
        bytes([len(head), width]),
        head.tobytes(),
        bins.astype("<u2").tobytes(),
        cells.counts.astype(np.dtype(_COUNT[width])).tobytes(),
    ])


def decoded(data: bytes) -> Cells:
    """Return the histograms that bytes of `encoded` hold."""
    measures, width = data[0], data[1]
    head = np.frombuffer(data, _HEAD, measures, offset=2)
    total = int(head["bins"].sum())
    start = 2 + measures * _HEAD.itemsize
    bins = np.frombuffer(data, "<u2", total, offset=start)
    counts = np.frombuffer(data, np.dtype(_COUNT[width]), total, offset=start + 2 * total)
    numbers = head["number"].astype(np.int64)
    keys = np.repeat(numbers * BINS, head["bins"]) + bins
    return Cells(keys, counts.astype(np.int64), numbers, head["greatest_ms"].astype(np.float64))


def _summed(
    keys: NDArray[np.int64],
    counts: NDArray[np.int64],
    numbers: NDArray[np.int64],
    greatest_ms: NDArray[np.float64],
) -> Cells:
    """Return cells with each key and each measure once."""
    its_keys, places = np.unique(keys, return_inverse=True)
    # Floats add up exactly as long as there are less than 2**53 turns.
    sums = np.bincount(places, weights=counts, minlength=len(its_keys))
    its_numbers, places = np.unique(numbers, return_inverse=True)
    most_ms = np.zeros(len(its_numbers))
    np.maximum.at(most_ms, places, greatest_ms)
    return Cells(its_keys, cast("NDArray[np.int64]", sums.astype(np.int64)), its_numbers, most_ms)
