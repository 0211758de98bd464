"""Data sets of a few persons in the published layouts."""

import json

import cv2
import numpy as np

# Annotation, key of the image's path, splits.
LAYOUTS = {
    'CUHKPEDES': ('reid_raw.json', 'file_path', ('train', 'val', 'test')),
    'ICFGPEDES': ('ICFG-PEDES.json', 'file_path', ('train', 'test')),
    'RSTPReid': ('data_captions.json', 'img_path', ('train', 'val', 'test')),
}


def write_persons(root, kind, captions, persons=4):
    """Write ``persons`` of every split, with two images each and the same captions of every image."""
    annotation, key, splits = LAYOUTS[kind]
    entries = []
    for number, split in enumerate(splits):
        for person in range(persons):
            for view in range(2):
                path = f'{split}/{person}_{view}.png'
                (root / 'imgs' / split).mkdir(parents=True, exist_ok=True)
                image = np.random.default_rng(person).integers(0, 256, (30, 12, 3), dtype=np.uint8)
                cv2.imwrite(str(root / 'imgs' / path), image)
                entries.append({'id': number * persons + person, 'split': split, 'captions': captions, key: path})
    (root / annotation).write_text(json.dumps(entries), encoding='utf-8')
    return root


def small_run(data_root):
    """Settings by name, for one epoch of small batches on such data, at rate 0 so that loaded weights can be seen."""
    settings = {'train_cfg.max_epochs': 1, 'optim_wrapper.optimizer.lr': 0.0}
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        settings[f'{loader}.dataset.data_root'] = str(data_root)
        settings |= {f'{loader}.num_workers': 0, f'{loader}.persistent_workers': False, f'{loader}.batch_size': 4}
    return settings | {'train_dataloader.sampler.batch_size': 4, 'train_dataloader.sampler.num_instances': 2}
