"""Safetensors: a strict header parser of our own, tensors as segments, and the index of sharded checkpoints."""

from mltrust.readers.safetensors.header import Header, TensorRange, parse_header
from mltrust.readers.safetensors.reader import SafetensorsReader

__all__ = ["Header", "SafetensorsReader", "TensorRange", "parse_header"]
