"""Rows of CSV and JSONL files, for captions and for metadata alike."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtbps.datasets.tables import csv_columns, csv_records, found_columns, jsonl_records

CELLS = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0\r'), max_size=8)


def refuse(message, cause=None):
    raise ValueError(message) from cause


def read(text):
    headers = []
    return headers, list(csv_records(text, headers.append, refuse))


def as_csv(row):
    stream = io.StringIO(newline='')
    csv.writer(stream, lineterminator='\n').writerow(row)
    return stream.getvalue()


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=4))
def test_what_is_written_is_read_with_the_line_where_it_begins(rows):
    texts = [as_csv(['a', 'b\t', ' c d']), *map(as_csv, rows)]
    headers, found = read(''.join(texts))
    assert headers == [['a', 'b', 'c d']]
    assert csv_columns(''.join(texts)) == ['a', 'b', 'c d']
    lines = [f'line {1 + "".join(texts[:number]).count(chr(10))}' for number in range(1, len(texts))]
    assert found == [(line, dict(zip(headers[0], row, strict=True))) for line, row in zip(lines, rows, strict=True)]


def test_a_header_of_one_name_and_a_blank_behind_each_comma():
    assert read('path\n a.png\n')[1] == [('line 2', {'path': ' a.png'})]
    headers, found = read('path, who\n\na.png, "Smith, John"\n')
    assert (headers, found) == ([['path', 'who']], [('line 3', {'path': 'a.png', 'who': 'Smith, John'})])


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a,b\n1,2,3\n', r'line 2: .* cells \(3\) than the header \(2\)'),
        ('a,b\n1,2\n\n1\n', r'line 4: .* cells \(1\) than the header \(2\)'),
        ('a,b\n1,"2\n3,4\n5,6\n', r'line 2: not valid CSV, .* \(the row goes on to line 4: a double quote is missing'),
        ('a,b\n1,"2" 3\n', r"line 2: not valid CSV, ',' expected after '\"'; later"),
        ('a,"b\n', r'line 1: not valid CSV'),
        (f'a,"{"b" * 200_000}"\n', r'line 1: not valid CSV, field larger'),
    ],
)
def test_rows_that_are_none_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


@pytest.mark.parametrize('text', ['', '\n', '\r\n\r\n'])
def test_an_empty_file_has_no_columns(text):
    assert read(text) == ([[]], [])
    assert csv_columns(text) == []


@pytest.mark.parametrize(('sign', 'name'), [(';', 'semicolons'), ('\t', 'tabs')])
def test_what_stands_instead_of_commas_is_said(sign, name):
    assert f'not {name}, between its cells' in found_columns(csv_columns(f'path{sign}camera\n'))
    assert found_columns(['a;b', 'c']) == "its columns, separated by commas, are ['a;b', 'c']"


@pytest.mark.parametrize(
    ('line', 'message'),
    [('{"a": 1, "b": {"c": 1, "c": 1}}', "line 2: the key 'c' is twice in an object"), ('{', 'line 2: not valid JSON')],
)
def test_lines_that_are_none_are_named(line, message):
    with pytest.raises(ValueError, match=f'^{re.escape(message)}'):
        list(jsonl_records(f'\n{line}\n', refuse))


def test_reading_may_go_on_behind_a_fault():
    told = []

    def note(message, cause):
        told.append(message.split(':')[0])

    assert list(jsonl_records('{\n{"a": 1}', note)) == [('line 2', dict(a=1))]
    assert list(csv_records('a\n1,2\n3\n"4', lambda columns: None, note)) == [('line 3', dict(a='3'))]
    assert told == ['line 1', 'line 2', 'line 4']
