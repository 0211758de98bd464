import json

import pytest

from mmtbps.datasets import CUHKPEDES


@pytest.mark.parametrize(('split', 'numbers'), [('train', (3, 6, 12)), ('val', (2, 4, 8)), ('test', (1, 2, 4))])
def test_every_split_has_its_identities_images_and_captions(cuhk_root, split, numbers):
    pairs = CUHKPEDES(data_root=str(cuhk_root), split=split)
    images = CUHKPEDES(data_root=str(cuhk_root), split=split, test_mode=True)
    assert (pairs.num_classes, len(images), len(pairs)) == numbers
    assert images.num_classes == pairs.num_classes
    assert images.metainfo['dataset'] == 'CUHK-PEDES'


def test_published_statistics_add_up():
    identities, images, captions = map(sum, zip(*CUHKPEDES.statistics.values(), strict=True))
    assert (identities, images, captions) == (13003, 40206, 80440)


def test_only_caption_all_is_there(tmp_path):
    (tmp_path / 'caption_all.json').write_text('[]')
    with pytest.raises(FileNotFoundError, match=r'reid_raw\.json does not exist, only .*caption_all\.json.*the split'):
        CUHKPEDES(data_root=str(tmp_path))


def test_caption_all_in_place_of_reid_raw(tmp_path):
    (tmp_path / 'caption_all.json').write_text(json.dumps([dict(id=1, file_path='a.png', captions=['a man'])]))
    with pytest.raises(ValueError, match=r"caption_all\.json: entry 0: missing 'split'.*needs reid_raw"):
        CUHKPEDES(ann_file='caption_all.json', data_root=str(tmp_path))


def test_nothing_is_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'reid_raw\.json does not exist\. CUHK-PEDES needs'):
        CUHKPEDES(data_root=str(tmp_path))


def test_absolute_paths_of_annotation_and_images(cuhk_root):
    dataset = CUHKPEDES(str(cuhk_root / 'reid_raw.json'), data_prefix=dict(img_path=str(cuhk_root / 'imgs')))
    assert dataset.get_data_info(0)['img_path'] == str(cuhk_root / 'imgs/cam_a/090_0.png')
