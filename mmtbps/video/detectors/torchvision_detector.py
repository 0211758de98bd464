"""Detectors of torchvision."""

from typing import Any

import numpy as np
import torch
import torchvision

from mmtbps.core.arguments import checked
from mmtbps.core.checkpoint import load_checkpoint_file, unwrap_weights
from mmtbps.core.checks import in_unit, positive
from mmtbps.core.devices import default_device
from mmtbps.registry import DETECTORS

from .base import Detector

__all__ = ['TorchvisionDetector']

_PERSON = 1
_CLASSES = 91


@DETECTORS.register_module()
class TorchvisionDetector(Detector):
    """A detection model of torchvision by name.

    Args:
        model: Its name. Defaults to ``fasterrcnn_mobilenet_v3_large_fpn`` (Faster R-CNN, Ren et al., NeurIPS 2015, on
            MobileNetV3), the one that a CPU can run; ``fasterrcnn_resnet50_fpn_v2`` finds more and takes several
            times as long.
        weights: ``'DEFAULT'``: torchvision's best, trained on COCO, which are fetched once into torch's cache; the
            path of a file of weights; or None: random ones. Defaults to ``'DEFAULT'``.
        label: Number of the class of persons. Defaults to 1, COCO's.
        min_score: Lowest confidence, 0..1. Defaults to 0.5: the score is a probability, and this is where a person
            gets more likely than none.
        num_classes: Number of classes with the background. Defaults to 91, COCO's as torchvision counts them.
        device: Where to run. Defaults to None: CUDA if there is a GPU, else the CPU.

    Raises:
        OSError: If the weights cannot be fetched.
        TypeError: If an argument is of another type.
        ValueError: If there is no such model, or weights do not fit it.
    """

    @checked(label=positive, min_score=in_unit, num_classes=positive)
    def __init__(
        self,
        model: str = 'fasterrcnn_mobilenet_v3_large_fpn',
        weights: str | None = 'DEFAULT',
        label: int = _PERSON,
        min_score: float = 0.5,
        num_classes: int = _CLASSES,
        device: str | None = None,
    ) -> None:
        known = torchvision.models.list_models(module=torchvision.models.detection)
        if model not in known:
            raise ValueError(f'model {str(model)!r:.80} is no detector of torchvision; choose from {", ".join(known)}.')
        self.label = label
        self.min_score = min_score
        self.device = torch.device(device) if device else default_device()
        self.model = _build(str(model), weights, num_classes).to(self.device).eval()

    @torch.inference_mode()
    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the persons in a frame; see :meth:`Detector.detect`. Scores are probabilities."""
        pixels = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).to(self.device)
        (found,) = self.model([pixels.permute(2, 0, 1).float() / 255])
        persons = (found['labels'] == self.label) & (found['scores'] >= self.min_score)
        return found['boxes'][persons].cpu().double().numpy(), found['scores'][persons].cpu().double().numpy()


def _build(name: str, weights: str | None, num_classes: int) -> Any:
    if weights == 'DEFAULT':
        try:
            return torchvision.models.get_model(name, weights='DEFAULT')
        except OSError as error:  # URLError is one
            raise OSError(
                f'The weights of {name} cannot be fetched ({" ".join(str(error).split())}). Connect this machine once, '
                'or give a file of them as weights=PATH.'
            ) from error
    model = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=num_classes)
    if weights is not None:
        found = unwrap_weights(load_checkpoint_file(weights), str(weights))
        try:
            model.load_state_dict(found)
        except RuntimeError as error:
            raise ValueError(
                f'The weights of {weights} do not fit {name} with {num_classes} classes: '
                f'{" ".join(str(error).split()):.300}. Name the model and num_classes that they were trained with.'
            ) from error
    return model
