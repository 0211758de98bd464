"""A tiny CLIP and files of it in every format that CLIP weights are released in."""

import warnings

import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import save_file

IMAGE_ARCH = dict(embed_dim=16, layers=2, width=32, head_width=16, patch_size=8)
TEXT_ARCH = dict(embed_dim=16, layers=2, width=32, heads=2, vocab_size=49408, context_length=20)


def tiny_clip(image_size=32, quick_gelu=False, seed=0, resnet=False):
    """A CLIP with sizes as above, all weights away from their special initial values."""
    torch.manual_seed(seed)
    vision = dict(layers=2, patch_size=8, head_width=16) if not resnet else dict(layers=(1, 1, 1, 1), head_width=64)
    model = CLIP(
        embed_dim=16,
        vision_cfg=CLIPVisionCfg(width=32 if not resnet else 8, image_size=image_size, **vision),
        text_cfg=CLIPTextCfg(**{key: value for key, value in TEXT_ARCH.items() if key != 'embed_dim'}),
        quick_gelu=quick_gelu,
    )
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter), alpha=0.05)
    return model.eval()


def save_openai_archive(model, path):
    """Write what OpenAI publishes: a TorchScript archive in half precision, with sizes among the weights."""
    del model.context_length, model.vocab_size
    for name, value in (('input_resolution', 32), ('context_length', 20), ('vocab_size', 49408)):
        model.register_buffer(name, torch.tensor(value))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.jit.script(model.half()).save(str(path))
    return path


def save_weights(model, path, layout='open_clip'):
    """Write one of the other formats, by the ending of the path and the layout."""
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    if layout == 'custom text':
        state = {
            name if name.startswith(('visual.', 'logit')) else f'text.{name}': value for name, value in state.items()
        }
    if path.suffix == '.safetensors':
        save_file(state, path)
    elif layout == 'training':
        torch.save({'epoch': 3, 'state_dict': {f'module.{name}': value for name, value in state.items()}}, path)
    else:
        torch.save(state, path)
    return path
