"""Measure what colour alone, and what all the stated attributes together, reach on ToyPEDES.

The first figure is a nearest-colour rule: the colour words of the upper and the lower garment against the colours of
the image at the height of the chest and of the legs. The second is the ceiling: all stated attributes against the true
ones.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from toy_parser import parse_caption

from mmtbps.core.commands import EPILOG, run_command
from mmtbps.datasets import ToyPEDES
from mmtbps.evaluation.functional import rank_metrics
from mmtbps.toy import COLORS, Person, read_spec, sample_person, sample_shots, visible_parts

# Rows, as shares of the image's height, and columns that the garments mostly cover.
_REGIONS = dict(top=((0.26, 0.48), (0.36, 0.64)), bottom=((0.52, 0.72), (0.36, 0.64)))


def region_colors(path: str) -> dict[str, np.ndarray]:
    """Median colour (Lab) of the regions of an image."""
    image = cv2.imread(path).astype(np.float32) / 255
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2Lab)
    height, width = lab.shape[:2]
    return {
        part: np.median(
            lab[int(y0 * height) : int(y1 * height), int(x0 * width) : int(x1 * width)].reshape(-1, 3), axis=0
        )
        for part, ((y0, y1), (x0, x1)) in _REGIONS.items()
    }


def color_similarity(attributes: list[dict[str, str]], paths: list[str]) -> np.ndarray:
    """Minus the summed Lab distance of the stated colours, (captions, images)."""
    seen = [region_colors(path) for path in paths]
    named = {name: cv2.cvtColor(np.float32([[bgr]]) / 255, cv2.COLOR_BGR2Lab)[0, 0] for name, bgr in COLORS.items()}
    similarity = np.zeros((len(attributes), len(paths)))
    for part in _REGIONS:
        images = np.stack([colors[part] for colors in seen])
        for row, told in zip(similarity, attributes, strict=True):
            # A dress covers the region of the legs too.
            name = told.get('top_color') if told.get('top_kind') == 'dress' else told.get(f'{part}_color')
            if name:
                row -= np.linalg.norm(images - named[name], axis=1)
    return similarity


def attribute_similarity(attributes: list[dict[str, str]], shown: list[dict[str, str]]) -> np.ndarray:
    """Number of stated attributes that match an image, (captions, images)."""
    return np.array(
        [[sum(image.get(k) == v for k, v in told.items()) for image in shown] for told in attributes], float
    )


def shown_attributes(person: Person, parts: list[str]) -> dict[str, str]:
    """Attributes of a person without those of absent parts."""
    absent = {'bottom', 'shoes', 'bag', 'hat', 'hair', 'glasses', 'scarf'} - set(parts)
    return {name: value for name, value in vars(person).items() if name.split('_')[0] not in absent}


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('root', nargs='?', default='data/toypedes', help='a drawn ToyPEDES')
    args = parser.parse_args()
    spec = read_spec(args.root)
    dataset = ToyPEDES(data_root=args.root, split='test', test_mode=True)
    items = [dataset.get_data_info(i) for i in range(len(dataset))]
    shown = []
    for item in items:
        raw_id, number = (int(v) for v in Path(item['img_path']).stem.split('_'))
        _, split, index = spec.identities()[raw_id - 1]
        person, shots = (
            sample_person(spec.seed, split, index),
            sample_shots(spec.seed, split, index, spec.images_per_id),
        )
        shown.append(shown_attributes(person, visible_parts(person, shots[number])))
    attributes = [parse_caption(caption) for item in items for caption in item['captions']]
    gallery = torch.from_numpy(dataset.person_ids)
    queries = torch.tensor([item['person_id'] for item in items for _ in item['captions']])
    for name, similarity in (
        ('nearest colour', color_similarity(attributes, [item['img_path'] for item in items])),
        ('all attributes', attribute_similarity(attributes, shown)),
    ):
        print(name, {k: round(v, 2) for k, v in rank_metrics(torch.from_numpy(similarity), queries, gallery).items()})


if __name__ == '__main__':
    run_command(main)
