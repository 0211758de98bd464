"""What tables and patterns say of images, and what neither can say silently."""

import csv
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_search import PixelEncoder

from mmtbps.search import MetadataSource, Searcher, list_gallery, list_images
from mmtbps.search.answers import read_sentences

HEADER = 'path,camera\n'


def index(crops, metadata, searcher=None):
    searcher = Searcher(PixelEncoder()) if searcher is None else searcher
    return searcher.index(crops, metadata=metadata, num_workers=0, progress=False)


@pytest.mark.parametrize(
    ('name', 'text', 'match'),
    [
        ('t.csv', '', r't.csv is empty'),
        ('t.csv', 'path,camera\n', r't.csv has no row. Write one for each path'),
        ('t.csv', 'a.png,c1\n', r"t.csv, line 1: the header must name one of path, .* are \['a.png', 'c1'\]"),
        ('t.csv', 'path\na.png\n', r't.csv has paths alone. Add a column'),
        ('t.csv', 'name,camera\na.png,c1\n', r't.csv, line 1: the header must name one of path'),
        ('t.csv', 'path;camera\na.png;c1\n', r"line 1: .*\['path;camera'\] \(save the table with commas, not semic"),
        ('t.csv', 'path\tcamera\na.png\tc1\n', r'line 1: .* \(save the table with commas, not tabs'),
        ('t.csv', 'path,camera,camera\na.png,c1,c2\n', r"line 1: two columns have the name 'camera'. Rename"),
        ('t.csv', 'path,camera,,\na.png,c1,,\n', r'line 1: two columns have no name. Rename'),
        ('t.csv', 'path,camera\na.png,c1,x\n', r't.csv, line 2: the row has more or fewer cells \(3\) than'),
        ('t.csv', 'path,camera\na.png,c1\n\nb.png\n', r't.csv, line 4: the row has more or fewer cells \(1\) than'),
        ('t.csv', 'path,camera\na.png,"c1\nb.png,c2\n', r't.csv, line 2: not valid CSV, .* goes on to line 3'),
        ('t.csv', 'path,camera\n ,c1\n', r"t.csv, line 2: 'path' is empty; it must hold the path"),
        ('t.csv', 'path,camera\na.png,1\n./a.png,1.0\n', r"line 2 and line 3 contra.*/a.png: 'camera' is 1 and 1.0"),
        ('t.jsonl', '', r't.jsonl has no row'),
        ('t.jsonl', '{"path": "a"}', r't.jsonl has paths alone'),
        ('t.jsonl', '{"path": "a", "c": 1}\n{', r't.jsonl, line 2: not valid JSON'),
        ('t.jsonl', '[1]', r't.jsonl, line 1: expected a JSON object'),
        ('t.jsonl', '{"path": "a", "c": 1, "c": 2}', r"t.jsonl, line 1: the key 'c' is twice in an object"),
        ('t.jsonl', '{"path": "a", "c": [1, 2]}', r"t.jsonl, line 1: 'c' must be a text or a number, but got \[1, 2\]"),
        ('t.jsonl', '{"path": "a", "c": {"d": 1}}', r"t.jsonl, line 1: 'c' must be a text or a number"),
        ('t.jsonl', '{"path": null, "c": 1}', r"t.jsonl, line 1: 'path' is empty"),
        ('t.jsonl', '{"path": 7, "c": 1}', r"t.jsonl, line 1: 'path' must be a text, but got 7"),
        ('t.jsonl', '{"file": "a", "c": 1}', r"t.jsonl, line 1: no path; .* but there are \['file', 'c'\]"),
        ('t.json', '[{"path": "a", "c": 1}]', r"t.json: a table ends in '.csv' .* not in '.json'"),
        ('t.xlsx', 'PK', r"t.xlsx: a table ends in '.csv' .* not in '.xlsx'"),
        ('t', HEADER, r"t: a table ends in '.csv' .* not in ''"),
    ],
)  # fmt: skip
def test_tables_that_are_none_are_refused(tmp_path, name, text, match):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=match) as refused:
        MetadataSource(tmp_path / name)
    assert '\n' not in str(refused.value)


def test_a_refused_table_or_pattern_erases_nothing(crops, tmp_path):
    searcher, table = Searcher(PixelEncoder()), tmp_path / 'facts.csv'
    table.write_text(f'{HEADER}crops/cam1/p2_t10.png,c1\n')
    index(crops, MetadataSource(table), searcher)
    table.write_text(f'{HEADER}elsewhere.png,c1\n')
    for source in (MetadataSource(table), MetadataSource(pattern=r'x(?P<camera>\d{9})')):
        with pytest.raises(ValueError, match=r'meets an image|finds nothing'):
            index(crops, source, searcher)
    assert [image.metadata['camera'] for image in searcher.gallery.store.images if 'camera' in image.metadata] == ['c1']


def test_names_of_columns_are_taken_as_they_are_meant(tmp_path):
    table = tmp_path / 'T.CSV'
    table.write_text('camera id , Path\nc 1, "a, b.png"\n')
    assert MetadataSource(table).of(str(tmp_path / 'a, b.png')) == {'camera id': 'c 1'}
    table.write_text('IMAGE,path,time\na.png,,1\nb.png,c.png,2\n')
    with pytest.raises(ValueError, match="line 2: 'path' is empty"):
        MetadataSource(table)


def test_what_is_empty_or_null_is_no_value(tmp_path):
    (tmp_path / 't.csv').write_text('path,camera,time\na.png,,1\na.png,c1,\na.png,c1,1\n')
    (tmp_path / 't.jsonl').write_text('{"path": "a.png", "camera": null, "time": 1}\n{"path": "a.png", "camera": "c1"}')
    for name in ('t.csv', 't.jsonl'):  # rows of an image that agree are one
        assert MetadataSource(tmp_path / name).of(str(tmp_path / 'a.png')) == dict(camera='c1', time=1)


FACTS = st.dictionaries(st.sampled_from('ab'), st.sampled_from([1, 1.0, '1', '1.0', 'x', True, 'true', None]))


@given(st.lists(st.tuples(st.sampled_from(['a.png', './a.png', 'b.png']), FACTS), min_size=1, max_size=4))
def test_rows_of_an_image_add_up_or_are_refused(tmp_path_factory, rows):
    folder = tmp_path_factory.getbasetemp()
    table = folder / 'rows.jsonl'
    table.write_text('\n'.join(json.dumps(dict(facts, path=path, all=0)) for path, facts in rows))
    said = {}
    for path, facts in rows:
        for name, value in facts.items():
            if value is not None:
                text = str(value).lower() if value is True else str(value)
                said.setdefault((path.removeprefix('./'), name), set()).add(text)
    if any(len(values) > 1 for values in said.values()):
        with pytest.raises(ValueError, match=r'rows.jsonl: line \d and line \d contradict each other'):
            MetadataSource(table)
        return
    source = MetadataSource(table)
    for name in ('a.png', 'b.png'):
        found = source.of(str(folder / name))
        assert set(found) - {'all'} == {key for path, key in said if path == name}


BACKSLASHES = ['.\\crops\\p0.png', '..\\beside\\..\\{name}\\crops\\p0.png', 'crops\\p0.png', '.\\crops/./p0.png']


@pytest.mark.parametrize('path', [*BACKSLASHES, '{folder}/crops\\p0.png'])
def test_backslashes_of_a_row_are_slashes(tmp_path, path):
    folder = tmp_path / 'd'
    (folder / 'crops').mkdir(parents=True)
    (folder / 'crops' / 'p0.png').write_bytes(b'x')
    (folder / 't.csv').write_text(f'{HEADER}{path.format(name="d", folder=folder)},c1\n')
    (image,) = list_gallery(folder, MetadataSource(folder / 't.csv'))
    assert image.metadata['camera'] == 'c1'


@pytest.mark.parametrize(
    'path', ['.\\crops\\p0.png', 'crops/p0.png', 'crops\\..\\crops\\p0.png', '{folder}/crops/p0.png']
)
def test_backslashes_of_the_folder_stay(tmp_path, path):
    folder = tmp_path / 'd\\x'
    (folder / 'crops').mkdir(parents=True)
    (folder / 'crops' / 'p0.png').write_bytes(b'x')
    (folder / 't.csv').write_text(f'{HEADER}{path.format(folder=folder)},c1\n')
    (image,) = list_gallery(folder, MetadataSource(folder / 't.csv'))
    assert image.metadata['camera'] == 'c1'


def test_a_backslash_may_be_part_of_a_name(tmp_path):
    (tmp_path / 'crops\\p0.png').write_bytes(b'x')
    (tmp_path / 't.csv').write_text(f'{HEADER}crops\\p0.png,c1\n.\\crops\\p0.png,c2\n')
    source = MetadataSource(tmp_path / 't.csv')
    assert source.of(str(tmp_path / 'crops\\p0.png')) == dict(camera='c1')
    assert source.of(str(tmp_path / 'crops' / 'p0.png')) == dict(camera='c2')


def test_patterns_and_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match='is not a regular expression'):
        MetadataSource(pattern='(')
    with pytest.raises(ValueError, match='no named group'):
        MetadataSource(pattern='a')
    with pytest.raises(FileNotFoundError, match=r'no table .*none.csv'):
        MetadataSource(tmp_path / 'none.csv')


def test_rows_that_meet_no_image(crops, tmp_path):
    table = tmp_path / 'facts.csv'
    table.write_text('path,camera\ncrops\\cam1\\p2_t10.png,c1\nelsewhere.png,c2\n')
    report = Searcher(PixelEncoder()).index(crops, metadata=MetadataSource(table), num_workers=0, progress=False)
    assert f'{table}: 1 of 2 rows meet no image, such as {tmp_path}/elsewhere.png' in str(report)
    table.write_text('path,camera\ncam1/p2_t10.png,c1\nelsewhere.png,c2\n')
    with pytest.raises(ValueError, match=r'facts.csv: none of its 2 rows meets an image. The first row names .*cam1'):
        Searcher(PixelEncoder()).index(crops, metadata=MetadataSource(table), num_workers=0, progress=False)


def test_a_table_may_name_the_real_path_of_a_linked_image(crops, tmp_path):
    (tmp_path / 'gallery').mkdir()
    (tmp_path / 'gallery' / 'link').symlink_to(crops, target_is_directory=True)
    table = tmp_path / 'facts.csv'
    table.write_text('path,camera\ncrops/cam1/p2_t10.png,c1\n')
    found = list_gallery(tmp_path / 'gallery', MetadataSource(table))
    assert [image.path.split('/')[-3:] for image in found if 'camera' in image.metadata] == [
        ['link', 'cam1', 'p2_t10.png']
    ]


@pytest.mark.parametrize(
    ('name', 'row', 'what'),
    [
        ('Größe.png', unicodedata.normalize('NFD', 'Größe.png'), r'how Unicode composes their letters \(NFC or NFD\)'),
        ('P0.PNG', 'p0.png', 'upper and lower case'),
        (unicodedata.normalize('NFD', 'É.png'), 'é.png', 'upper and lower case'),
    ],
)
def test_rows_that_nearly_meet_an_image(crops, tmp_path, name, row, what):
    (crops / 'cam1' / 'p2_t10.png').rename(crops / name)
    table = tmp_path / 'facts.csv'
    table.write_text(f'{HEADER}crops/{row},c1\nelsewhere.png,c2\n')
    hint = rf'1 of them would meet one but for {what}, such as {crops / name}: write paths'
    with pytest.raises(ValueError, match=f'none of its 2 rows meets an image.* {hint}'):
        index(crops, MetadataSource(table))
    table.write_text(f'{table.read_text()}crops/cam0/p0_t0.png,c3\n')
    source = MetadataSource(table)
    (remark,) = source.require_met(list_images(crops, source).images[0].path)
    assert remark.startswith(f'{table}: 2 of 3 rows meet no image, such as {crops / row}. 1 of them would')


def test_a_pattern_that_meets_no_image(crops):
    for pattern in (r'q(?P<person>\d+)', r'(?P<person>\d{9})?'):
        with pytest.raises(ValueError, match=r'pattern .*\(\?P<person>.* finds nothing .* such as .*/cam0/p0_t0.png'):
            index(crops, MetadataSource(pattern=pattern))
    source = MetadataSource(pattern=r'cam1/p(?P<person>\d+)')
    list_images(crops / 'cam0', source)  # all folders are listed before the first is indexed
    told = str(index(crops, source))
    assert f"pattern 'cam1/p(?P<person>\\\\d+)' finds nothing in the paths of 8 images, such as {crops}/cam0/" in told
    assert 'finds nothing' not in str(index(crops / 'cam1', MetadataSource(pattern=r'p(?P<person>\d)')))


@given(st.lists(st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\r\0')), min_size=1, max_size=3))
def test_sentences_are_read_as_they_are(tmp_path_factory, sentences):
    folder = tmp_path_factory.getbasetemp()
    with (folder / 's.csv').open('w', newline='') as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([['Sentence'], *([text] for text in sentences)])
    (folder / 's.jsonl').write_text('\n'.join(json.dumps(dict(query=text)) for text in sentences))
    blank = next((number for number, text in enumerate(sentences) if not text.strip()), None)
    for file in (folder / 's.csv', folder / 's.jsonl'):
        if blank is None:
            assert read_sentences(file) == sentences
        else:
            with pytest.raises(ValueError, match=rf'{file}, line \d+: .* is empty; it must hold the sentence'):
                read_sentences(file)


@pytest.mark.parametrize(
    ('name', 'text', 'match'),
    [
        ('s.csv', 'sentence,note\na man,x\n,y\n', r"s.csv, line 3: 'sentence' is empty; it must hold the sentence"),
        ('s.csv', 'a man\n', r"s.csv, line 1: the header must name one of sentence, .*\['a man'\]"),
        ('s.csv', 'sentence\n', r's.csv has no row. Write one for each sentence'),
        ('s.csv', 'sentence\na man, in red\n', r's.csv, line 2: .* put a text with commas into double quotes'),
        ('s.jsonl', '{"sentence": null}', r"s.jsonl, line 1: 'sentence' is empty"),
        ('s.jsonl', '{"sentence": "a"}\n{"sentence": ["b"]}', r"s.jsonl, line 2: 'sentence' must be a text, .* \['b'"),
        ('s.txt', 'sentence\na man\n', r"s.txt: a table ends in '.csv'"),
    ],
)  # fmt: skip
def test_sentences_that_are_none_are_refused(tmp_path, name, text, match):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=match):
        read_sentences(tmp_path / name)
