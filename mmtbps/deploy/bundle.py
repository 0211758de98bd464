"""Format of an exported retriever: a folder with two graphs and a JSON that describes their inputs."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mmtbps.core.files import file_sha256, write_atomically
from mmtbps.core.json_text import parse_json

from .graph_files import data_file

__all__ = ['IMAGE_GRAPH', 'MANIFEST', 'TEXT_GRAPH', 'Bundle']

IMAGE_GRAPH, TEXT_GRAPH, MANIFEST = 'image.onnx', 'text.onnx', 'model.json'
_FORMAT = 'mmtbps-onnx-2'
_KINDS: dict[str, Any] = dict(
    image_size=list, dim=int, precision=str, pipeline=list, data_preprocessor=dict, tokenizer=dict,
    vocabulary=list | None, pad_id=int, fingerprint=dict, modules=list,
)  # fmt: skip
"""What JSON gives for the fields of a bundle."""


@dataclass(frozen=True)
class Bundle:
    """Content of the JSON beside the graphs.

    Args:
        image_size: Height and width of the images.
        dim: Width of a feature.
        precision: ``'fp32'`` or ``'int8'``.
        pipeline: Configs of the transforms from an image file to (3, H, W) uint8, BGR.
        data_preprocessor: Config of the data preprocessor: order of the channels, mean, standard deviation.
        tokenizer: Config of the tokenizer, without its vocabulary.
        vocabulary: The word of every id, or None if the vocabulary of the tokenizer is fixed.
        pad_id: Id that pads the shorter sentences of a batch.
        fingerprint: Fingerprint of the model, see :class:`mmtbps.search.Fingerprint`.
        modules: Modules that classes of the configs are from, if these are not of the libraries.
    """

    image_size: tuple[int, int]
    dim: int
    precision: str
    pipeline: list[dict[str, Any]]
    data_preprocessor: dict[str, Any]
    tokenizer: dict[str, Any]
    vocabulary: list[str] | None
    pad_id: int
    fingerprint: dict[str, str]
    modules: list[str]

    def save(self, folder: str | Path) -> None:
        """Write ``model.json``; the graphs must exist already."""
        graphs: dict[str, dict[str, Any]] = {
            'image_graph': dict(
                file=IMAGE_GRAPH,
                inputs={'images': 'float32 (N, 3, H, W), prepared by pipeline and data_preprocessor'},
                outputs={'features': 'float32 (N, dim), not normalised'},
            ),
            'text_graph': dict(
                file=TEXT_GRAPH,
                inputs={
                    'tokens': 'int64 (M, L), the sentences as the tokenizer encodes them, padded with pad_id',
                    'lengths': 'int64 (M,), number of tokens of each',
                },
                outputs={'features': 'float32 (M, dim), not normalised'},
            ),
        }
        for graph in graphs.values():
            file = Path(folder) / graph['file']
            graph['sha256'] = file_sha256(file)
            if data_file(file).exists():
                graph['weights'] = dict(file=data_file(file).name, sha256=file_sha256(data_file(file)))
        content = json.dumps({'format': _FORMAT, **graphs, **asdict(self)}, indent=2, ensure_ascii=False)
        write_atomically(Path(folder) / MANIFEST, content.encode())

    @classmethod
    def load(cls, folder: str | Path) -> 'Bundle':
        """Read ``model.json`` and verify the checksums of the graphs.

        Args:
            folder: Folder of an exported model.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If the JSON cannot be read, or a checksum differs.
        """
        folder = Path(folder)
        for name in (MANIFEST, IMAGE_GRAPH, TEXT_GRAPH):
            if not (folder / name).is_file():
                raise FileNotFoundError(
                    f'{folder} is not an exported model: it has no {name}. Write one with mmtbps export.'
                )
        try:
            stored = parse_json((folder / MANIFEST).read_bytes())
            if stored['format'] != _FORMAT:
                raise ValueError(f'its format is {stored["format"]!r}, not {_FORMAT!r}')
            hashes = {}
            for name, graph in ((IMAGE_GRAPH, stored['image_graph']), (TEXT_GRAPH, stored['text_graph'])):
                hashes[folder / name] = graph['sha256']
                if 'weights' in graph:
                    hashes[data_file(folder / name)] = graph['weights']['sha256']
            wrong = [
                name
                for name, kind in _KINDS.items()
                if isinstance(stored[name], bool) or not isinstance(stored[name], kind)
            ]
            if wrong:
                raise ValueError(f'its {wrong[0]} is {stored[wrong[0]]!r:.80}')
            bundle = cls(**{field.name: stored[field.name] for field in fields(cls)})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'{folder / MANIFEST} cannot be read ({type(error).__name__}: {error}); export the model again.'
            ) from error
        for file, expected in hashes.items():
            if not file.is_file():
                raise FileNotFoundError(
                    f'{file} is missing: it holds weights of the exported model. Copy it, or export again.'
                )
            if file_sha256(file) != expected:
                raise ValueError(
                    f'{file} does not match its checksum in {MANIFEST}: the export was interrupted, or files '
                    'of two exports were mixed. Export the model again.'
                )
        return bundle
