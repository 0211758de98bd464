"""How often a saliency map peaks on the garment that the word is about, on drawn pedestrians.

A pedestrian is drawn twice with one garment in two colours; the pixels that differ are the garment. Then the model is
asked for the garment's colour, and the peak of the word's map is looked at (the pointing game of Zhang et al., IJCV
2018, with a tolerance of four pixels).
"""

import argparse
import dataclasses

import cv2
import numpy as np

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.search import ModelEncoder
from mmtbps.search.saliency import compute_saliency, smooth
from mmtbps.toy import draw_image, sample_person, sample_shots, stream

_DIFFERENT = 25
_SMALLEST = 0.03
_TOLERANCE = np.ones((9, 9), np.uint8)


def draw_garment(index: int, attribute: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Draw one identity of the test split; returns picture, where the garment is, and its colour."""
    person, shot = sample_person(0, 'test', index), sample_shots(0, 'test', index, 1)[0]
    colour = getattr(person, attribute)
    other = dataclasses.replace(person, **{attribute: 'red' if colour == 'blue' else 'blue'})
    image, changed = (draw_image(who, shot, stream(0, 'test', index, 2)) for who in (person, other))
    return image, np.abs(image.astype(int) - changed).max(2) > _DIFFERENT, colour


def point(encoder: ModelEncoder, attribute: str, noun: str, count: int) -> None:
    """Play the game for one garment and print how it went."""
    hits, chances, shares, areas = [], [], [], []
    for index in range(count):
        image, garment, colour = draw_garment(index, attribute)
        if garment.mean() < _SMALLEST:
            continue  # hidden, or not worn
        values = compute_saliency(encoder, image, f'a person wearing {colour} {noun}.', colour)
        values = cv2.resize(smooth(values), image.shape[1::-1])
        near = cv2.dilate(garment.astype(np.uint8), _TOLERANCE) > 0
        hits.append(near.flat[values.argmax()])
        chances.append(near.mean())
        shares.append(values[garment].sum() / max(values.sum(), 1e-12))
        areas.append(garment.mean())
    print(
        f'{noun:8} {len(hits)} images: peak on the garment {np.mean(hits):.0%} (by chance {np.mean(chances):.0%}); '
        f'{np.mean(shares):.0%} of the map on its {np.mean(areas):.0%} of the pixels'
    )


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--count', type=int, default=120, help='how many pedestrians (default: 120)')
    args = parser.parse_args(argv)
    encoder = ModelEncoder(args.config, args.checkpoint)
    point(encoder, 'top_color', 'top', args.count)
    point(encoder, 'bottom_color', 'bottoms', args.count)


if __name__ == '__main__':
    run_command(main)
