"""Files of an ONNX graph: one, or two where its weights are too many for one."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from .extras import import_deploy

__all__ = ['data_file', 'write_graph']

# Protocol buffers end at 2 GiB; what is not weights needs a little of it.
_MOST_IN_ONE_FILE = 2**31 - 2**24


def data_file(graph: Path) -> Path:
    """File for the weights of a graph that does not hold them itself: ``image.onnx.data``."""
    return graph.with_name(f'{graph.name}.data')


def write_graph(write: Callable[[Path], None], graph: Path) -> None:
    """Have a graph written, with its weights in one file beside it where they are too many for one file.

    torch writes a file for every weight of such a graph, and onnxruntime's tools write what they are told to.

    Args:
        write: Writes a graph to the path that it gets; the folder of it is empty and goes afterwards.
        graph: Path of the graph.
    """
    with tempfile.TemporaryDirectory(prefix='.graph-', dir=graph.parent) as scratch:
        written = Path(scratch) / graph.name
        write(written)
        size = sum(path.stat().st_size for path in Path(scratch).iterdir())
        if size <= _MOST_IN_ONE_FILE and len(os.listdir(scratch)) == 1:
            os.replace(written, graph)
            return
        onnx = import_deploy('onnx')
        onnx.save_model(
            onnx.load(written),
            graph,
            save_as_external_data=size > _MOST_IN_ONE_FILE,
            all_tensors_to_one_file=True,
            location=data_file(graph).name,
        )
