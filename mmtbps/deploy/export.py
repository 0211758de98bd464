"""Export of a trained retriever to two ONNX graphs and a JSON."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from packaging.version import Version

from mmtbps.models.data_preprocessor import pad_tokens
from mmtbps.search import ModelEncoder
from mmtbps.toy import draw_samples

from .agreement import Agreement, compare_features
from .bundle import IMAGE_GRAPH, MANIFEST, TEXT_GRAPH, Bundle
from .extras import import_deploy
from .fresh_process import encode_in_fresh_process
from .graph_files import data_file, write_graph
from .graphs import trace_graphs

__all__ = ['export_onnx', 'quantize_onnx']

_LEAST_COSINE = 0.9999
# Pedestrians, and how many per batch: two sizes of batches.
_VERIFIED, _BATCH_SIZE = 64, 24
# Earlier versions cannot run a convolution with int8 weights on a CPU.
_INT8_RUNTIME = Version('1.24')


def export_onnx(encoder: ModelEncoder, out_dir: str | Path, opset: int = 17) -> Agreement:
    """Export the image and the text stream and verify them with onnxruntime.

    Batch size and sentence length are dynamic; the size of images is that of the test pipeline. Files are written to
    ``out_dir`` only if the graphs, opened from their files by a fresh process, agree with the model on 64 drawn
    pedestrians and their sentences, in batches of other sizes than the graphs were traced with.

    Args:
        encoder: A trained model with its preprocessing.
        out_dir: Folder for ``image.onnx``, ``text.onnx`` and ``model.json``, and ``image.onnx.data`` or
            ``text.onnx.data`` for the weights of a graph above 2 GB. An earlier export is replaced.
        opset: Version of ONNX's operators. Defaults to 17, which runtimes since 2022 support.

    Returns:
        The agreement of the exported model with the torch model.

    Raises:
        ImportError: If onnx or onnxruntime is not installed.
        RuntimeError: If the graphs do not reproduce the model, or cannot be opened by another process.
    """
    import_deploy('onnx'), import_deploy('onnxruntime')
    images, sentences = draw_samples(_VERIFIED)
    with _beside(out_dir) as folder:
        _trace(encoder, folder, images[0], sentences[:2], opset)
        _describe(encoder, images[0]).save(folder)
        found = encode_in_fresh_process(folder, images, sentences, _BATCH_SIZE, encoder.modules)
        expected = encoder.encode_images(images, _BATCH_SIZE), encoder.encode_texts(sentences, _BATCH_SIZE)
        agreement = compare_features(expected, found)
        if min(agreement.image_cosine, agreement.text_cosine) < _LEAST_COSINE or agreement.same_order < 1:
            raise RuntimeError(
                f'The exported graphs do not reproduce the model ({agreement}); nothing was written to {out_dir}. '
                'Find the part that does not trace, and register its exportable form '
                '(mmtbps.deploy.exportable.register).'
            )
    return agreement


def quantize_onnx(folder: str | Path, out_dir: str | Path) -> None:
    """Quantise an exported model: weights in int8, activations quantised on the fly (dynamic quantisation).

    Measure the loss of accuracy with :func:`~mmtbps.deploy.evaluate_encoder`. The features differ from those of the
    model, so that galleries have to be indexed again.

    Args:
        folder: An exported model in single precision.
        out_dir: Folder for the quantised model, with the same files.

    Raises:
        ImportError: If onnx or onnxruntime is not installed, or onnxruntime is older than 1.24 (which needs Python
            3.11).
        ValueError: If the model is not in single precision.
    """
    version = import_deploy('onnxruntime').__version__
    if Version(version) < _INT8_RUNTIME:
        raise ImportError(
            f'onnxruntime {version} cannot run convolutions in int8. On Python 3.11 or later run: '
            f"python -m pip install 'onnxruntime>={_INT8_RUNTIME}'"
        )
    bundle = Bundle.load(folder)
    if bundle.precision != 'fp32':
        raise ValueError(f'{folder} is already in {bundle.precision}; quantise the export in fp32.')
    with _beside(out_dir) as target:
        for name in (IMAGE_GRAPH, TEXT_GRAPH):
            write_graph(partial(_quantize, Path(folder) / name), target / name)
        fingerprint = dict(bundle.fingerprint, weights=f'int8 of {bundle.fingerprint["weights"]}')
        replace(bundle, precision='int8', fingerprint=fingerprint).save(target)


def _quantize(graph: Path, quantized: Path) -> None:
    """Write a graph with weights in int8."""
    quantization = import_deploy('onnxruntime.quantization')
    shape_inference = import_deploy('onnxruntime.quantization.shape_inference')
    large = data_file(graph).exists()
    with tempfile.TemporaryDirectory(prefix='.simple-', dir=quantized.parents[1]) as scratch:
        # Folds norms into convolutions first, as onnxruntime recommends.
        simple = Path(scratch) / graph.name
        shape_inference.quant_pre_process(graph, simple, skip_symbolic_shape=True, save_as_external_data=large)
        quantization.quantize_dynamic(
            simple, quantized, weight_type=quantization.QuantType.QInt8, use_external_data_format=large
        )


@contextmanager
def _beside(out_dir: str | Path) -> Iterator[Path]:
    """Temporary folder, all of whose files are moved to ``out_dir`` after success, the JSON last."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.export-', dir=out_dir) as scratch:
        yield Path(scratch)
        written = os.listdir(scratch)
        for name in sorted(written, key=MANIFEST.__eq__):
            os.replace(Path(scratch) / name, out_dir / name)
    for graph in (IMAGE_GRAPH, TEXT_GRAPH):
        if data_file(out_dir / graph).name not in written:  # an earlier export may have had it
            data_file(out_dir / graph).unlink(missing_ok=True)
    Bundle.load(out_dir)


def _trace(encoder: ModelEncoder, folder: Path, image: np.ndarray, sentences: Sequence[str], opset: int) -> None:
    """Write both graphs; image and sentences are the examples to trace with."""
    images = torch.rand(2, 3, *encoder.image_loader(image).shape[1:])
    tokens, lengths = pad_tokens([encoder.tokenizer.encode(text) for text in sentences], encoder.tokenizer.pad_id)
    trace_graphs(encoder.model, folder, images, tokens, lengths, opset)


def _describe(encoder: ModelEncoder, image: np.ndarray) -> Bundle:
    prepared = encoder.preprocessing
    height, width = encoder.image_loader(image).shape[1:]
    return Bundle(
        image_size=(height, width),
        dim=encoder.encode_texts(['a person']).shape[1],
        precision='fp32',
        pipeline=prepared['pipeline'],
        data_preprocessor=prepared['data_preprocessor'],
        tokenizer=prepared['tokenizer'],
        vocabulary=encoder.tokenizer.vocabulary,
        pad_id=encoder.tokenizer.pad_id,
        fingerprint=encoder.fingerprint.to_dict(),
        modules=encoder.modules,
    )
