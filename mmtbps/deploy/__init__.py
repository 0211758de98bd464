"""Export of trained retrievers to ONNX."""

from .agreement import Agreement, compare_encoders, evaluate_encoder
from .bundle import Bundle
from .export import export_onnx, quantize_onnx
from .onnx_encoder import ONNXEncoder
from .tracing import exportable

__all__ = [
    'Agreement',
    'Bundle',
    'ONNXEncoder',
    'compare_encoders',
    'evaluate_encoder',
    'export_onnx',
    'exportable',
    'quantize_onnx',
]
