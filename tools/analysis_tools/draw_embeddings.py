"""Draw images and captions of some persons as points in a plane."""

from typing import Literal

from mmtbps.cli import Command
from mmtbps.core.commands import run_command


def draw(
    features: str, out: str, /, *, method: Literal['pca', 'tsne'] = 'pca', persons: int = 12, seed: int = 0
) -> None:
    """Draw images and captions of some persons as points in a plane.

    Args:
        features: File that `mmtbps test --dump` wrote (.npz).
        out: Picture to write.
        method: Projection.
        persons: Number of persons.
        seed: Seed of t-SNE.
    """
    from mmtbps.visualization import draw_embedding_map

    draw_embedding_map(features, out, method, persons, seed)


main = Command(draw)

if __name__ == '__main__':
    run_command(main)
