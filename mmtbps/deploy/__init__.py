"""Trained retrievers outside torch."""

from .bundle import Bundle
from .export import export_onnx, quantize_onnx
from .onnx_encoder import ONNXEncoder
from .tracing import exportable
from .verify import Agreement, compare_encoders, drawn_samples, evaluate_encoder

__all__ = [
    'Agreement',
    'Bundle',
    'ONNXEncoder',
    'compare_encoders',
    'drawn_samples',
    'evaluate_encoder',
    'export_onnx',
    'exportable',
    'quantize_onnx',
]
