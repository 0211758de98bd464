"""The two graphs of a retriever."""

import warnings
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from .bundle import IMAGE_GRAPH, TEXT_GRAPH
from .graph_files import write_graph
from .tracing import exportable_copy

__all__ = ['trace_graphs']


class _Graph(nn.Module):
    """One of the two encoding methods of a retriever as a module."""

    def __init__(self, model: nn.Module, method: str) -> None:
        super().__init__()
        self.model = model
        self.method = method

    def forward(self, *inputs: Tensor) -> Tensor:
        return getattr(self.model, self.method)(*inputs)


def trace_graphs(
    model: nn.Module, folder: Path, images: Tensor, tokens: Tensor, lengths: Tensor, opset: int = 17
) -> None:
    """Write the graphs of the image and the text stream; batch size and length of captions stay free.

    Args:
        model: A retriever; it is not changed.
        folder: Folder for both files.
        images: Images to trace with, (N, 3, H, W), whose size the graph is for.
        tokens: Captions to trace with, (M, L).
        lengths: Their lengths, (M,).
        opset: Version of ONNX's operators.
    """
    model = exportable_copy(model)
    graphs = (
        ('encode_image', IMAGE_GRAPH, {'images': images}, {'images': {0: 'N'}, 'features': {0: 'N'}}),
        (
            'encode_text',
            TEXT_GRAPH,
            {'tokens': tokens, 'lengths': lengths},
            {'tokens': {0: 'M', 1: 'L'}, 'lengths': {0: 'M'}, 'features': {0: 'M'}},
        ),
    )
    for method, file, inputs, free in graphs:
        write_graph(partial(_export, _Graph(model, method), inputs, free, opset), folder / file)


def _export(graph: _Graph, inputs: dict[str, Tensor], free: dict[str, dict[int, str]], opset: int, file: Path) -> None:
    """Trace one graph."""
    with torch.no_grad(), warnings.catch_warnings():
        # torch warns that Python's checks of sizes are traced as constants; whoever writes a graph verifies it.
        warnings.simplefilter('ignore')
        # The tracing exporter: it handles all these networks, in a second.
        torch.onnx.export(
            graph,
            tuple(inputs.values()),
            str(file),
            input_names=list(inputs),
            output_names=['features'],
            dynamic_axes=free,
            opset_version=opset,
            dynamo=False,
        )
