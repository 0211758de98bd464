import importlib.util
import json
from pathlib import Path

import pytest

from mmtbps.datasets import CUHKPEDES, ICFGPEDES, PersonCaptions
from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.datasets.verify import datasets_of_config, format_report, verify_dataset

TOOL = Path(__file__).parents[2] / 'tools/dataset_tools/verify_dataset.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('verify_dataset_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verify(root):
    return verify_dataset(CUHKPEDES(data_root=str(root), lazy_init=True), workers=1)


def test_a_sound_data_set(cuhk_root, cuhk_entries):
    for index, entry in enumerate(cuhk_entries):
        entry['captions'] = [f'caption {index} a', f'caption {index} b']
    (cuhk_root / 'reid_raw.json').write_text(json.dumps(cuhk_entries))
    report = verify(cuhk_root)
    assert report['broken'] is False
    assert {split: tuple(counts.values()) for split, counts in report['splits'].items()} == dict(
        train=(3, 6, 12, (11003, 34054, 68126)),
        val=(2, 4, 8, (1000, 3078, 6158)),
        test=(1, 2, 4, (1000, 3074, 6156)),
    )
    assert not any(value for key, value in report.items() if isinstance(value, list))
    text = format_report(report)
    assert '11,003 / 34,054 / 68,126 (differs)' in text
    assert text.endswith('No faults.')


def test_missing_and_undecodable_images_are_all_listed(cuhk_root, cuhk_entries):
    files = [entry['file_path'] for entry in cuhk_entries]
    images = cuhk_root / 'imgs'
    (images / files[0]).unlink()
    (images / files[8]).unlink()
    (images / files[2]).write_bytes(b'')
    (images / files[3]).write_bytes(b'no image')
    whole = (images / files[4]).read_bytes()
    (images / files[4]).write_bytes(whole[: len(whole) // 2])
    report = verify(cuhk_root)
    assert report['broken'] is True
    assert report['missing_images'] == [files[0], files[8]]
    assert [found['image'] for found in report['undecodable_images']] == files[2:5]
    text = format_report(report, examples=0)
    assert all(name in text for name in (files[0], files[8], *files[2:5]))


def test_remarks_about_captions_and_splits(cuhk_root, cuhk_entries):
    for index, entry in enumerate(cuhk_entries):
        entry['captions'] = [f'caption {index}']
    cuhk_entries[0]['captions'] = ['A  man.', 'A man.', 'élan']
    cuhk_entries[2]['captions'] = ['a MAN. ', ' ']
    cuhk_entries[3]['captions'] = []
    cuhk_entries[11].update(id=90)
    cuhk_entries[10].update(cuhk_entries[4], split='test')
    (cuhk_root / 'reid_raw.json').write_text(json.dumps(cuhk_entries))
    report = verify(cuhk_root)
    image = [entry['file_path'] for entry in cuhk_entries]
    assert report['broken'] is False
    assert report['captions_of_several_persons'] == [dict(caption='a man.', person_ids=[7, 90])]
    assert report['blank_captions'] == [dict(where=f'entry {i}', image=image[i]) for i in (2, 3)]
    assert report['non_ascii_captions'] == [dict(where='entry 0', image=image[0], caption='élan')]
    assert report['images_in_several_splits'] == [dict(image=image[4], splits=['test', 'train'])]
    assert report['persons_in_several_splits'] == [
        dict(person_id=90, splits=['test', 'train']),
        dict(person_id=11, splits=['test', 'train']),
    ]


def test_a_broken_annotation_is_a_fault(cuhk_root, cuhk_entries):
    (cuhk_root / 'reid_raw.json').write_text(json.dumps([*cuhk_entries, dict(cuhk_entries[0], id=5)]))
    assert 'entry 0 and entry 12' in verify(cuhk_root)['annotation_errors'][0]
    (cuhk_root / 'reid_raw.json').write_text('[')
    report = verify(cuhk_root)
    assert 'not valid JSON' in report['annotation_errors'][0]
    assert report['broken'] is True
    (cuhk_root / 'reid_raw.json').unlink()
    assert 'does not exist' in verify(cuhk_root)['annotation_errors'][0]


def test_all_errors_of_all_entries_are_listed_together_with_missing_images(cuhk_root, cuhk_entries):
    files = [entry['file_path'] for entry in cuhk_entries]
    (cuhk_root / 'imgs' / files[8]).unlink()
    del cuhk_entries[1]['id']
    cuhk_entries[3]['split'] = 'dev'
    cuhk_entries[4]['file_path'] = '../../etc/passwd'
    cuhk_entries[5] = 'no entry'
    wrong = [dict(cuhk_entries[0], id=5), dict(cuhk_entries[0], id=6)]
    (cuhk_root / 'reid_raw.json').write_text(json.dumps([*cuhk_entries, *wrong]))
    report = verify(cuhk_root)
    places = ('entry 1: missing', 'entry 3: split', 'entry 4: the image path', 'entry 5: an object')
    places += ('entry 0 and entry 12:', 'entry 0 and entry 13:')
    for error, place in zip(report['annotation_errors'], places, strict=True):
        assert error.startswith(f'{cuhk_root}/reid_raw.json: {place}')
    assert report['missing_images'] == [files[8]]
    assert report['splits']['train']['images'] == 2
    text = format_report(report, examples=0)
    assert all(place in text for place in places)
    with pytest.raises(ValueError, match='entry 1: missing'):
        CUHKPEDES(data_root=str(cuhk_root))


@pytest.mark.parametrize(
    ('name', 'text', 'places'),
    [
        ('a.csv', 'image,caption,person_id,split\na.jpg,one\nb.jpg,two,,test\nc.jpg,x,p,test\n', ['line 2', 'line 3']),
        (
            'a.csv',
            'image,caption,person_id,split\na.jpg,one\nc.jpg,x,p,test\nb.jpg,"tw"o,p,train\n',
            ['line 2', 'line 4'],
        ),
        (
            'a.jsonl',
            '{"image": 3, "caption": "x", "person_id": 1, "split": "test"}\n{\n'
            '{"image": "c.jpg", "caption": "x", "person_id": 1, "split": "test"}\n[]\n',
            ['line 1', 'line 2', 'line 4'],
        ),
    ],
    ids=['cells', 'quotes', 'jsonl'],
)
def test_all_errors_of_a_table_are_listed(tmp_path, name, text, places):
    (tmp_path / name).write_text(text)
    report = verify_dataset(PersonCaptions(ann_file=name, data_root=str(tmp_path), lazy_init=True))
    for error, place in zip(report['annotation_errors'], places, strict=True):
        assert error.startswith(f'{tmp_path}/{name}: {place}: ')
    assert report['missing_images'] == ['c.jpg']


def test_too_few_identities_for_a_val_split_do_not_hide_missing_images(tmp_path, write_json, cuhk_entries):
    root = write_json(tmp_path, cuhk_entries[:6], name='ICFG-PEDES.json')
    (root / 'imgs' / cuhk_entries[0]['file_path']).unlink()
    report = verify_dataset(ICFGPEDES(data_root=str(root), lazy_init=True))
    assert '200 validation identities' in report['annotation_errors'][0]
    assert report['missing_images'] == [cuhk_entries[0]['file_path']]


def test_a_carved_val_split_is_compared_together_with_train(tmp_path, write_json, cuhk_entries):
    entries = [dict(entry, split='train') for entry in cuhk_entries]
    root = write_json(tmp_path, entries, name='ICFG-PEDES.json')
    report = verify_dataset(ICFGPEDES(data_root=str(root), num_val_ids=2, lazy_init=True))
    assert {split: (counts['identities'], counts['published']) for split, counts in report['splits'].items()} == {
        'train': (4, None),
        'val': (2, None),
        'test': (0, (1000, 19848, 19848)),
        'train+val': (6, (3102, 34674, 34674)),
    }


def test_a_config_names_each_annotation_once(tmp_path):
    one = dict(type='CUHKPEDES', data_root=str(tmp_path), pipeline=[dict(type='NotNeeded')], tokenizer=dict(type='No'))
    table = dict(type='PersonCaptions', ann_file='a.csv', data_root=str(tmp_path), split_key=None)
    cfg = dict(
        train_dataloader=dict(dataset=dict(type='RepeatDataset', times=2, dataset=one)),
        val_dataloader=dict(dataset=dict(type='ConcatDataset', datasets=[dict(one, split='val'), table])),
        test_dataloader=dict(dataset=dict(table, split='test')),
    )
    found = [(type(dataset).__name__, dataset.split) for dataset in datasets_of_config(cfg)]
    assert found == [('CUHKPEDES', 'train'), ('PersonCaptions', 'train'), ('PersonCaptions', 'test')]
    with pytest.raises(ValueError, match='no data set'):
        datasets_of_config(dict(val_dataloader=None))


def test_tool_by_class(tool, cuhk_root, capsys):
    out = cuhk_root / 'report.json'
    assert tool.main(['CUHKPEDES', str(cuhk_root), '--json', str(out)]) == 0
    assert 'No faults.' in capsys.readouterr().out
    reports = json.loads(out.read_text())
    assert [report['splits']['train']['images'] for report in reports] == [6]
    (cuhk_root / 'imgs/cam_a/090_0.png').unlink()
    assert tool.main(['CUHKPEDES', str(cuhk_root), '--workers', '1']) == 1
    assert 'cam_a/090_0.png' in capsys.readouterr().out


def test_tool_takes_arguments_of_the_class(tool, cuhk_root, capsys):
    (cuhk_root / 'imgs').rename(cuhk_root / 'photos')
    (cuhk_root / 'reid_raw.json').rename(cuhk_root / 'raw.json')
    options = ['ann_file=raw.json', 'data_prefix.img_path=photos']
    assert tool.main(['CUHKPEDES', str(cuhk_root), '--cfg-options', *options]) == 0
    assert f'{cuhk_root}/raw.json, images below {cuhk_root}/photos' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['CUHKPEDE', '.'], 'no data set .*CUHKPEDES'),
        (['ResNet', '.'], 'no data set'),
        (['CIFAR10', '.'], 'no data set'),
        (['PersonCaptions', '.'], "'ann_file'.*--cfg-options"),
        (['CUHKPEDES', '.', '--cfg-options', 'anfile=a.json'], "'anfile'"),
    ],
)
def test_tool_says_what_is_wrong_with_the_command_line(tool, arguments, message):
    with pytest.raises(ValueError, match=message):
        tool.main(arguments)


def test_tool_tells_a_class_from_a_config_file(tool):
    with pytest.raises(ValueError, match='CUHKPEDES is no config file; give the data root'):
        tool.main(['CUHKPEDES'])


def test_tool_takes_a_drawn_data_set_of_any_size(tool, tmp_path, capsys):
    root = draw_toy_pedes(tmp_path / 'toypedes', num_train_ids=3, num_val_ids=1, num_test_ids=2, images_per_id=1)
    assert tool.main(['ToyPEDES', str(root)]) == 0
    assert '| train | 3          | 3' in capsys.readouterr().out


def test_tool_by_config(tool, cuhk_root, capsys):
    config = cuhk_root / 'config.py'
    config.write_text(f'train_dataloader = dict(dataset=dict(type="CUHKPEDES", data_root={str(cuhk_root)!r}))\n')
    assert tool.main([str(config)]) == 0
    option = 'train_dataloader.dataset.ann_file=none.json'
    assert tool.main([str(config), '--cfg-options', option]) == 1
    assert 'none.json does not exist' in capsys.readouterr().out
