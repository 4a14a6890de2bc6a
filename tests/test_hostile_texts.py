"""Ten thousand hostile texts of the grammar, by each effort, with the C kernel."""

import pytest

from tests.test_records import EFFORTS, run_grammar

TEXTS, PART = 10_000, 1000


@pytest.mark.long
@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("first", range(0, TEXTS, PART))
def test_archives_of_hostile_texts(first, effort, tmp_path):
    tables = run_grammar(range(first, first + PART), EFFORTS[effort], tmp_path)
    assert tables > 0.8 * PART
