"""Backbones of images and of words; MMPretrain's are within reach by their names."""

from .clip_resnet import CLIPResNet
from .clip_text_transformer import CLIPTextTransformer
from .clip_vit import CLIPViT
from .word_embedding import WordEmbedding
from .word_table import WordTable

__all__ = ['CLIPResNet', 'CLIPTextTransformer', 'CLIPViT', 'WordEmbedding', 'WordTable']
