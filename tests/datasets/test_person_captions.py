import csv
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmtbps.datasets import PersonCaptions

ROWS = [
    dict(image='b/1.png', caption='A man in red, with a "big" bag.', person_id='p9', split='train'),
    dict(image='b/2.png', caption='Une femme\nen vélo.', person_id='p10', split='train'),
    dict(image='b/1.png', caption='A man.', person_id='p9', split='train'),
    dict(image='3.png', caption='A child.', person_id='p3', split='test'),
]


def write_csv(file, rows, encoding='utf-8', names=None):
    with open(file, 'w', encoding=encoding, newline='') as stream:
        writer = csv.DictWriter(stream, names or list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file.name


def write_jsonl(file, rows, encoding='utf-8'):
    file.write_text('\n'.join(json.dumps(row, ensure_ascii=False) for row in rows) + '\n', encoding=encoding)
    return file.name


def captions_of(dataset):
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return [(info['image_id'], info['person_id'], info['caption']) for info in infos]


EXPECTED = [
    (0, 1, 'A man in red, with a "big" bag.'),
    (0, 1, 'A man.'),
    (1, 0, 'Une femme\nen vélo.'),
]


@pytest.fixture
def root(tmp_path, write_images):
    write_images(tmp_path, [row['image'] for row in ROWS])
    return tmp_path


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
@pytest.mark.parametrize(('write', 'name'), [(write_csv, 'a.csv'), (write_jsonl, 'a.jsonl')])
def test_both_formats(root, write, name, encoding):
    dataset = PersonCaptions(write(root / name, ROWS, encoding=encoding), data_root=str(root))
    assert captions_of(dataset) == EXPECTED
    assert dataset.metainfo['person_ids'] == ['p10', 'p9']
    test = PersonCaptions(name, data_root=str(root), split='test', test_mode=True)
    assert [test.get_data_info(i)['captions'] for i in range(len(test))] == [['A child.']]


def test_lists_of_captions_and_numbers_as_identities(root):
    rows = [
        dict(image='b/1.png', caption=['A man.', 'He walks.'], person_id=10, split='train'),
        dict(image='b/2.png', caption='A woman.', person_id=9, split='train'),
    ]
    dataset = PersonCaptions(write_jsonl(root / 'a.jsonl', rows), data_root=str(root))
    assert captions_of(dataset) == [(0, 1, 'A man.'), (0, 1, 'He walks.'), (1, 0, 'A woman.')]
    assert dataset.metainfo['person_ids'] == [9, 10]


def test_blanks_behind_the_commas_are_no_part_of_a_table(root):
    (root / 'a.csv').write_text('image, caption, person_id, split \nb/1.png, "A man, in red.", p9, train\n')
    dataset = PersonCaptions('a.csv', data_root=str(root))
    assert captions_of(dataset) == [(0, 0, 'A man, in red.')]
    assert dataset.has_column('split')


def test_other_column_names(root):
    names = dict(image='file', caption='text', person_id='who', split='part')
    rows = [{names[key]: value for key, value in row.items()} for row in ROWS]
    dataset = PersonCaptions(
        write_csv(root / 'a.csv', rows),
        data_root=str(root),
        image_key='file',
        caption_key='text',
        person_key='who',
        split_key='part',
    )
    assert captions_of(dataset) == EXPECTED


def test_one_file_per_split(root):
    rows = [{key: value for key, value in row.items() if key != 'split'} for row in ROWS]
    name = write_csv(root / 'a.csv', rows)
    assert len(PersonCaptions(name, data_root=str(root), split_key=None, split='val', test_mode=True)) == 3
    with pytest.raises(ValueError, match=r"a\.csv: line 1: the header must name 'split' once.*split_key \(None"):
        PersonCaptions(name, data_root=str(root))


@pytest.mark.parametrize(('write', 'name', 'lines'), [(write_csv, 'a.csv', (2, 6)), (write_jsonl, 'a.jsonl', (1, 5))])
def test_conflicting_identities_name_both_lines(root, write, name, lines):
    rows = [ROWS[0], *ROWS[2:], dict(ROWS[2]), dict(ROWS[2], person_id='p10')]
    with pytest.raises(ValueError, match=rf"line {lines[0]} and line {lines[1]}: .*b/1\.png.*'p9' and person 'p10'"):
        PersonCaptions(write(root / name, rows), data_root=str(root))


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.csv', 'image,caption,person_id,split\nb/1.png,A man, in red,p9,train\n', 'line 2: .*more or fewer cells'),
        ('a.csv', 'image,caption,person_id,split\nb/1.png,A man\n', 'line 2: .*more or fewer cells'),
        ('a.csv', 'image,caption,person_id,split\nb/1.png,"A "man",p9,train\n', 'line 2: not valid CSV'),
        ('a.csv', 'image,caption,person_id,split\nb/1.png,A man,,train\n', "line 2: 'person_id' must be"),
        ('a.csv', 'image,caption,person_id,split\nb/1.png,A man,p9 ,train\n', "line 2: 'person_id' has white space"),
        ('a.csv', 'image,caption,person_id,split\nb/1.png,A man,p9,Train\n', r"line 2: split must .* 'Train'\. Every"),
        ('a.csv', 'image,caption,split\nb/1.png,A man,train\n', "line 1: the header must name 'person_id' once"),
        ('a.csv', 'image;caption;person_id;split\nb/1.png;A man;p9;train\n', r"are \['image;caption;.*not semicolons"),
        ('a.csv', 'image\tcaption\tperson_id\tsplit\nb/1.png\tA man\tp9\ttrain\n', 'commas, not tabs, between'),
        ('a.csv', 'image,caption,person_id,split\n1.png,"A man,p9,train\n2.png,A,p1,train\n', 'line 2: .* to line 3'),
        ('a.csv', 'b/1.png,A man,p9,train\n', r"line 1: the header .* are \['b/1\.png', 'A man'"),
        ('a.csv', 'image,caption,caption,person_id,split\n', "line 1: the header must name 'caption' once"),
        ('a.csv', '', "line 1: the header must name 'image'"),
        ('a.csv', 'image,caption,person_id,split\n', 'no entries of the split'),
        ('a.jsonl', '{"image": "b/1.png",\n', 'line 1: not valid JSON, .* column'),
        ('a.jsonl', '{"image": "a", "image": "b"}\n', "line 1: the key 'image' is twice in an object"),
        ('a.jsonl', '\n\n[1]\n', 'line 3: an object with the keys'),
        ('a.jsonl', '', 'no entries of the split'),
        ('a.txt', '', "reads '.csv' and '.jsonl' files"),
    ],
)
def test_broken_tables(root, name, content, message):
    (root / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        PersonCaptions(name, data_root=str(root))


@pytest.mark.parametrize(('write', 'name'), [(write_csv, 'a.csv'), (write_jsonl, 'a.jsonl')])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        # The csv module does not write NUL, and text files turn a carriage return into a line feed.
        st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\r\0'), max_size=20),
        min_size=1,
        max_size=4,
    )
)
@pytest.mark.filterwarnings('ignore:.*lack a caption')
def test_any_text_survives(root, write, name, captions):
    rows = [dict(ROWS[0], caption=caption) for caption in captions]
    dataset = PersonCaptions(write(root / name, rows), data_root=str(root), test_mode=True, serialize_data=False)
    assert dataset.get_data_info(0)['captions'] == [caption for caption in captions if caption.strip()]


@pytest.mark.filterwarnings('ignore:.*lack a caption')
@pytest.mark.parametrize(('write', 'nobody'), [(write_csv, ''), (write_jsonl, [])])
def test_data_without_identities_and_distractors(tmp_path, write, nobody):
    """What the README says of both."""
    rows = [
        dict(image='1.png', caption='A man.', person_id='x', split='test'),
        dict(image='2.png', caption='A woman.', person_id='x', split='test'),
        dict(image='3.png', caption=nobody, person_id='y', split='test'),
    ]
    file = write(tmp_path / ('own.csv' if write is write_csv else 'own.jsonl'), rows)
    options = dict(data_root=str(tmp_path), split='test', test_mode=True, check_images=False)
    for key, persons in (('image', 3), ('person_id', 2)):
        dataset = PersonCaptions(file, person_key=key, **options)
        assert dataset.num_classes == persons
        assert [len(dataset.get_data_info(index)['captions']) for index in range(3)] == [1, 1, 0]
