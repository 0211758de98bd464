"""Pages that name the tests behind their words name tests that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def rows(page):
    lines = (ROOT / 'docs' / page).read_text(encoding='utf-8').splitlines()
    tables = [line for line in lines if line.startswith('| ')]
    return [re.split(r' \| ', line.strip('| ')) for line in tables if not re.match(r'\| (promise|situation) \|', line)]


@pytest.mark.parametrize(('page', 'columns'), [('promises.md', 2), ('known_troubles.md', 4)])
def test_every_row_names_tests_that_are_there(page, columns):
    assert len(rows(page)) > 30
    for row in rows(page):
        assert len(row) == columns, row
        named = re.findall(r'`(tests/[^`]*)`', row[-1])
        assert named, row
        assert not [path for path in named if not (ROOT / path).exists()], row
