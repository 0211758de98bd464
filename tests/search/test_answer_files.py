"""Answers to take away: the table and the archive."""

import csv
import io
import os
import zipfile

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtbps.search import SearchResult
from mmtbps.search.answer_files import format_table, safe_cell, safe_name, scaled_to, write_archive


def rows(table):
    return list(csv.reader(io.StringIO(table, newline='')))


def test_the_table_has_a_column_for_every_field():
    results = [
        SearchResult(1, '/a/x.png', 0.75, 0.7, dict(camera='c1', time=10)),
        SearchResult(2, '/a/y,z.png', -0.5, -0.5, dict(camera='c,"2', rank='high')),
    ]
    assert rows(format_table(results)) == [
        ['rank', 'score', 'path', 'camera', 'time', 'metadata rank'],
        ['1', '0.750000', '/a/x.png', 'c1', '10', ''],
        ['2', '-0.500000', '/a/y,z.png', 'c,"2', '', 'high'],
    ]
    assert rows(format_table(results, lambda result: f'{result.rank}', ['one.png', '']))[1:] == [
        ['1', '0.750000', '1', 'one.png', 'c1', '10', ''],
        ['2', '-0.500000', '2', '', 'c,"2', '', 'high'],
    ]
    assert rows(format_table([])) == [['rank', 'score', 'path']]


@given(st.text() | st.sampled_from(['=1+1', ' =1', '\t@A', '-1-1', '\n+1', '\uff1d1']) | st.integers() | st.floats())
def test_no_cell_is_a_formula(value):
    cell = safe_cell(value)
    if isinstance(value, str):
        assert cell.removeprefix("'") == value.removeprefix("'")
        assert cell.strip()[:1] not in tuple('=+-@\uff1d\uff0b\uff0d\uff20')
    elif cell:
        assert type(value)(cell) == value


def test_names_and_fields_are_no_formulas_either():
    (header, row) = rows(format_table([SearchResult(1, '=cmd.png', 0.5, 0.5, {'@field': '+1 2', 'less': -3})]))
    assert header[3:] == ["'@field", 'less']
    assert row[2:] == ["'=cmd.png", "'+1 2", '-3']


@pytest.mark.parametrize(
    ('path', 'name'),
    [
        ('/a/../../etc/passwd', '007_passwd.png'),
        ('/a/..\\..\\boot:ini.png', '007__boot_ini.png'),
        ('/a/Größe 1.JPG', '007_Größe_1.png'),
        ('/a/.png', '007__png.png'),
        (os.fsdecode(b'/a/\xd0\xd0.png'), '007__.png'),
        (f'/a/{"x" * 300}_end.png', f'007_{"x" * 46}_end.png'),
    ],
)
def test_names_in_an_archive_lead_nowhere(path, name):
    assert safe_name(path, 7) == name


@pytest.fixture
def results(tmp_path):
    """Two images of one name, a file that is no image, and one that is gone."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / 'a' / 'x.png', tmp_path / 'b' / 'x.png', tmp_path / 'secret.txt', tmp_path / 'gone.png']
    for path in paths[:2]:
        path.parent.mkdir()
        cv2.imwrite(str(path), rng.integers(0, 256, (30, 14, 3), dtype=np.uint8))
    paths[2].write_text('the password', encoding='utf-8')
    return [SearchResult(rank, str(path), 0.5, 0.5, dict(camera=rank)) for rank, path in enumerate(paths, start=1)]


def test_the_archive_has_pixels_and_nothing_else(results, tmp_path):
    missing = write_archive(tmp_path / 'answer.zip', results)
    assert missing == [result.path for result in results[2:]]
    with zipfile.ZipFile(tmp_path / 'answer.zip') as archive:
        assert archive.namelist() == ['001_x.png', '002_x.png', 'answer.csv']
        for name, result in zip(archive.namelist(), results, strict=False):
            stored = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR)
            np.testing.assert_array_equal(stored, cv2.imread(result.path))
        table = rows(archive.read('answer.csv').decode())
    assert table[0] == ['rank', 'score', 'path', 'file', 'camera']
    assert [row[3] for row in table[1:]] == ['001_x.png', '002_x.png', '', '']
    assert b'password' not in (tmp_path / 'answer.zip').read_bytes()
    assert [file.name for file in tmp_path.glob('*answer*')] == ['answer.zip']


@pytest.mark.parametrize(
    ('shape', 'bounds', 'expected'),
    [
        ((30, 14), (30, None), (30, 14)),
        ((60, 28), (30, None), (30, 14)),
        ((10, 4000), (30, None), (10, 4000)),
        ((10, 4000), (30, 2000), (5, 2000)),
        ((4000, 1), (30, 30), (30, 1)),
    ],
)
def test_pictures_are_scaled_down_only(shape, bounds, expected):
    assert scaled_to(np.zeros((*shape, 3), np.uint8), *bounds).shape == (*expected, 3)
