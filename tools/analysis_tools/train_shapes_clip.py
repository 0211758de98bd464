"""Train a small CLIP on drawn shapes with captions, with open_clip's model and loss.

It stands in for a large image-text model that knows colours and patterns, but no pedestrian: the coarse source of
another domain from which the study of transfer strategies transfers.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from open_clip import CLIP, ClipLoss, CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import save
from torch import Tensor

from mmtbps.core.commands import EPILOG, run_command
from mmtbps.core.files import write_atomically
from mmtbps.core.terminal import progress_bar
from mmtbps.datasets import CLIPTokenizer

SIDE = 64
MODEL = dict(
    embed_dim=128,
    vision_cfg=dict(layers=[1, 1, 1, 1], width=8, image_size=SIDE),
    text_cfg=dict(context_length=32, vocab_size=49408, width=128, heads=4, layers=2),
    quick_gelu=False,
)
COLORS = dict(
    black=(20, 20, 20), white=(245, 245, 245), gray=(128, 128, 128), navy=(20, 30, 90), blue=(50, 90, 220),
    red=(210, 30, 40), pink=(245, 150, 180), green=(50, 150, 60), beige=(220, 200, 160), brown=(110, 70, 40),
    purple=(130, 60, 160), yellow=(240, 215, 50), orange=(245, 140, 30),
)  # fmt: skip
PATTERNS = ('plain', 'plain', 'striped', 'dotted', 'checkered')
SHAPES = ('circle', 'square', 'triangle', 'bar', 'ring', 'diamond')
SIZES = {'small': 9, 'medium': 12, 'large': 15}
FORMS = ('{one} above {two}', '{one} on top of {two}', 'a picture of {one} and below it {two}', '{two} under {one}')


def draw_shape(canvas: np.ndarray, shape: str, pattern: str, color: str, center: tuple[int, int], size: int) -> None:
    """Draw one shape into an image (H, W, 3), in place."""
    (x, y), mask = center, np.zeros(canvas.shape[:2], np.uint8)
    if shape in ('circle', 'ring'):
        cv2.circle(mask, center, size, 1, -1 if shape == 'circle' else max(size // 3, 2))
    else:
        corners = dict(
            square=[(-1, -1), (1, -1), (1, 1), (-1, 1)],
            bar=[(-1.6, -0.5), (1.6, -0.5), (1.6, 0.5), (-1.6, 0.5)],
            triangle=[(0, -1), (1, 1), (-1, 1)],
            diamond=[(0, -1.2), (0.8, 0), (0, 1.2), (-0.8, 0)],
        )[shape]
        cv2.fillPoly(mask, [np.array([(x + size * u, y + size * v) for u, v in corners], np.int32)], 1)
    rows, columns = np.indices(mask.shape)
    marked = dict(
        plain=np.zeros_like(mask, bool),
        striped=rows % 6 < 2,
        dotted=(rows % 6 < 3) & (columns % 6 < 3),
        checkered=(rows // 4 + columns // 4) % 2 == 0,
    )[pattern]
    rgb = np.array(COLORS[color])
    canvas[mask > 0] = rgb
    canvas[(mask > 0) & marked] = 255 - rgb if abs(rgb.mean() - 128) > 40 else 255


def sample_pair(rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Draw an image (H, W, 3) of two shapes, one above the other, and its caption."""
    canvas = np.full((SIDE, SIDE, 3), rng.integers(0, 256, 3), np.uint8)
    names = []
    for height in (18, 46):
        color, pattern, shape, size = (str(rng.choice(tuple(options))) for options in (COLORS, PATTERNS, SHAPES, SIZES))
        center = (int(rng.integers(20, 45)), height + int(rng.integers(-3, 4)))
        draw_shape(canvas, shape, pattern, color, center, SIZES[size])
        words = [size if rng.random() < 0.5 else '', color, pattern if rng.random() < 0.9 else '', shape]
        names.append(' '.join(['a', *filter(None, words)]))
    noisy = canvas + rng.normal(0, 8, canvas.shape)
    return noisy.clip(0, 255).astype(np.uint8), str(rng.choice(FORMS)).format(one=names[0], two=names[1])


def make_batch(rng: np.random.Generator, size: int, tokenizer: CLIPTokenizer) -> tuple[Tensor, Tensor]:
    """Draw images (N, 3, H, W), normalised, and their tokens (N, L)."""
    images, captions = zip(*(sample_pair(rng) for _ in range(size)), strict=True)
    tokens = torch.zeros(size, MODEL['text_cfg']['context_length'], dtype=torch.long)
    for row, caption in zip(tokens, captions, strict=True):
        ids = tokenizer.encode(caption)
        row[: len(ids)] = torch.tensor(ids)
    return (torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) - 115.0) / 68.0, tokens


def build_tokenizer() -> CLIPTokenizer:
    """Build the tokenizer of the model's context."""
    return CLIPTokenizer(MODEL['text_cfg']['context_length'])


def build_model() -> CLIP:
    """Build open_clip's model, with a modified ResNet as thin as the toy configs'."""
    vision = CLIPVisionCfg(**{**MODEL['vision_cfg'], 'layers': tuple(MODEL['vision_cfg']['layers'])})
    return CLIP(MODEL['embed_dim'], vision, CLIPTextCfg(**MODEL['text_cfg']))


def train(model: CLIP, steps: int, batch_size: int, lr: float, rng: np.random.Generator) -> None:
    """Train with open_clip's loss; one cycle of the rate, and its clamp of the scale."""
    tokenizer, loss_of = build_tokenizer(), ClipLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.1)
    model.train()
    for step in progress_bar(steps, 'steps', iterable=range(steps)):
        loss = loss_of(*model(*make_batch(rng, batch_size, tokenizer)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        if step % 50 == 0:
            print(f' step {step}: loss {loss.item():.3f}', file=sys.stderr)


@torch.no_grad()
def match_rate(model: CLIP, rng: np.random.Generator, size: int = 256) -> float:
    """Share of new captions whose own image is the nearest of ``size``."""
    model.eval()
    images, texts, _ = model(*make_batch(rng, size, build_tokenizer()))
    return ((texts @ images.T).argmax(1) == torch.arange(size)).float().mean().item()


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', nargs='?', default='data/shapes_clip', help="folder for weights and open_clip's config")
    parser.add_argument('--steps', type=int, default=400)
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--lr', type=float, default=2e-3)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    model, rng = build_model(), np.random.default_rng(args.seed)
    train(model, args.steps, args.batch_size, args.lr, rng)
    rate = match_rate(model, rng)
    state = {name: value.contiguous() for name, value in model.state_dict().items() if name != 'attn_mask'}
    write_atomically(Path(args.out) / 'open_clip_config.json', json.dumps(dict(model_cfg=MODEL), indent=2).encode())
    write_atomically(Path(args.out) / 'open_clip_model.safetensors', save(state))
    print(f'\n{args.out}: {100 * rate:.1f} % of new captions find their image among 256')


if __name__ == '__main__':
    run_command(main)
