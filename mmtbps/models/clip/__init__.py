"""CLIP's towers for pedestrian images and captions, and their released weights."""

from .attention_pool import MeanTokenAttentionPool
from .positions import resize_positional_embedding
from .pretrained import CLIPPretrainedInit
from .resnet import CLIPResNet
from .text_transformer import CLIPTextTransformer
from .tower import CLIPTower
from .vit import CLIPViT
from .weights import CLIPWeights, load_clip_weights

__all__ = [
    'CLIPPretrainedInit',
    'CLIPResNet',
    'CLIPTextTransformer',
    'CLIPTower',
    'CLIPViT',
    'CLIPWeights',
    'MeanTokenAttentionPool',
    'load_clip_weights',
    'resize_positional_embedding',
]
