"""A training step of CM-MoCo as it is usually written: the yardstick of the step benchmark.

The same mathematics in plain PyTorch: open_clip's ResNet and attention pool as they come, a parameter group of the
optimizer for every tensor, momentum keys that are computed anew and assigned, the default memory format.
"""

import copy

import torch
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mmtbps.models import CMMoCoRetriever

MOMENTUM, TEMPERATURE, SMOOTHING = 0.999, 0.07, 0.1
LEARNING_RATE, WEIGHT_DECAY = 1e-4, 4e-5


class PlainImages(nn.Module):
    """CLIP's modified ResNet with last stride 1, for a rectangular grid."""

    def __init__(self, layers: list[int], width: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.backbone = ModifiedResNet(layers, 16 * width, max(width // 2, 1), width=width)
        first = self.backbone.layer4[0]
        first.avgpool = first.downsample[0] = nn.Identity()
        tokens = 1 + (size[0] // 16) * (size[1] // 16)
        self.backbone.attnpool.positional_embedding = nn.Parameter(torch.zeros(tokens, 32 * width))

    def forward(self, images: Tensor) -> Tensor:
        """Turn images into features."""
        return self.backbone(images)


class PlainCaptions(nn.Module):
    """A frozen table of words, a bidirectional GRU without biases and the maximum over time."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.table = nn.Embedding(words, 512, padding_idx=0)
        self.table.weight.requires_grad_(False)
        self.gru = nn.GRU(512, 512, bias=False, batch_first=True, bidirectional=True)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Turn captions into features."""
        packed = pack_padded_sequence(self.table(tokens), lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, padding_value=float('-inf'))
        return states.amax(dim=1)


class PlainStep(nn.Module):
    """Model, optimizer and queue; :meth:`step` trains on one batch."""

    def __init__(
        self, layers: list[int], width: int, size: tuple[int, int], words: int, classes: int, queue_size: int
    ) -> None:
        super().__init__()
        self.images, self.captions = PlainImages(layers, width, size), PlainCaptions(words)
        self.image_projection, self.text_projection = nn.Linear(16 * width, 256), nn.Linear(1024, 256)
        self.classes = nn.Parameter(nn.init.xavier_uniform_(torch.empty(256, classes)))
        self.register_buffer('image_queue', torch.zeros(256, queue_size))
        self.register_buffer('text_queue', torch.zeros(256, queue_size))
        self.register_buffer('ids', torch.full((queue_size,), -1))
        self.pointer = 0
        self.image_keys, self.caption_keys = copy.deepcopy(self.images), copy.deepcopy(self.captions)
        queries = [item for item in self.named_parameters() if '_keys' not in item[0] and item[1].requires_grad]
        groups = [
            dict(params=[weight], lr=2 * LEARNING_RATE, weight_decay=0.0)
            if 'bias' in name
            else dict(params=[weight], lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
            for name, weight in queries
        ]
        self.optimizer = torch.optim.Adam(groups)

    def load(self, model: CMMoCoRetriever) -> None:
        """Start from the weights and the queue of one of our models."""
        for name, images, captions in (
            ('', self.images, self.captions),
            ('key_encoders.', self.image_keys, self.caption_keys),
        ):
            backbone = model.get_submodule(f'{name}image_stream.backbone').state_dict()
            del backbone['attnpool.positional_grid']
            images.backbone.load_state_dict(backbone)
            captions.table.load_state_dict(model.get_submodule(f'{name}text_stream.backbone.table').state_dict())
            captions.gru.load_state_dict(model.get_submodule(f'{name}text_stream.neck.gru').state_dict())
        self.image_projection.load_state_dict(model.image_projection.linear.state_dict())
        self.text_projection.load_state_dict(model.text_projection.linear.state_dict())
        self.classes.data.copy_(model.heads['identity'].projection)
        self.image_queue, self.text_queue = model.queue.image.clone(), model.queue.text.clone()
        self.ids, self.pointer = model.queue.person_ids.clone(), int(model.queue.pointer)

    def step(self, images: Tensor, tokens: Tensor, lengths: Tensor, ids: Tensor) -> dict[str, Tensor]:
        """Train on a batch: images (N, 3, H, W), tokens (N, L), lengths (N,), identities (N,)."""
        for query, key in ((self.images, self.image_keys), (self.captions, self.caption_keys)):
            for new, old in zip(query.parameters(), key.parameters(), strict=True):
                old.data = old.data * MOMENTUM + new.data * (1 - MOMENTUM)
        image = self.image_projection(self.images(images))
        text = self.text_projection(self.captions(tokens, lengths))
        with torch.no_grad():
            image_keys = F.normalize(self.image_projection(self.image_keys(images)))
            text_keys = F.normalize(self.text_projection(self.caption_keys(tokens, lengths)))
        losses = {
            'identity.loss': self.identity(image, ids) + self.identity(text, ids),
            'alignment.loss': self.alignment(image, text, ids),
            'contrastive.loss_i2t': self.contrast(image, text_keys, self.text_queue, ids),
            'contrastive.loss_t2i': self.contrast(text, image_keys, self.image_queue, ids),
        }
        self.optimizer.zero_grad()
        sum(losses.values()).backward()
        self.optimizer.step()
        slots = (self.pointer + torch.arange(len(ids), device=ids.device)) % len(self.ids)
        self.image_queue[:, slots], self.text_queue[:, slots] = image_keys.t(), text_keys.t()
        self.ids[slots] = ids
        self.pointer = (self.pointer + len(ids)) % len(self.ids)
        return losses

    def identity(self, features: Tensor, ids: Tensor) -> Tensor:
        """Classification of one modality."""
        return F.cross_entropy(features @ F.normalize(self.classes, dim=0), ids, label_smoothing=SMOOTHING)

    def alignment(self, image: Tensor, text: Tensor, ids: Tensor) -> Tensor:
        """Global alignment of all pairs."""
        similarity = F.normalize(image) @ F.normalize(text).t()
        same = ids[:, None] == ids
        positive = torch.log(1 + torch.exp(-10 * (similarity[same] - 0.6))).sum()
        return 2 / len(ids) * (positive + torch.log(1 + torch.exp(40 * (similarity[~same] - 0.4))).sum())

    def contrast(self, queries: Tensor, keys: Tensor, queue: Tensor, ids: Tensor) -> Tensor:
        """InfoNCE of one direction; empty slots and a query's own identity are no negatives."""
        queries = F.normalize(queries)
        negatives = (queries @ queue).masked_fill((ids[:, None] == self.ids) | (self.ids == -1), float('-inf'))
        logits = torch.cat([(queries * keys).sum(dim=1, keepdim=True), negatives], dim=1) / TEMPERATURE
        return F.cross_entropy(logits, torch.zeros_like(ids))
