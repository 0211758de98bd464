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
    if layout == 'transformers':
        state = {name: value.contiguous() for name, value in huggingface_names(state, TEXT_ARCH['layers']).items()}
    if path.suffix == '.safetensors':
        save_file(state, path)
    elif layout == 'training':
        torch.save({'epoch': 3, 'state_dict': {f'module.{name}': value for name, value in state.items()}}, path)
    else:
        torch.save(state, path)
    return path


def huggingface_names(state, layers):
    """The names of transformers' CLIPModel for a state dict in OpenAI's names."""
    found = {}
    for prefix, there in (('visual.', 'vision_model'), ('', 'text_model')):
        for layer in range(layers):
            block, new = f'{prefix}transformer.resblocks.{layer}.', f'{there}.encoder.layers.{layer}.'
            for kind in ('weight', 'bias'):
                for letter, part in zip('qkv', state[f'{block}attn.in_proj_{kind}'].chunk(3), strict=True):
                    found[f'{new}self_attn.{letter}_proj.{kind}'] = part
                found[f'{new}self_attn.out_proj.{kind}'] = state[f'{block}attn.out_proj.{kind}']
                for number in '12':
                    found[f'{new}layer_norm{number}.{kind}'] = state[f'{block}ln_{number}.{kind}']
                found[f'{new}mlp.fc1.{kind}'] = state[f'{block}mlp.c_fc.{kind}']
                found[f'{new}mlp.fc2.{kind}'] = state[f'{block}mlp.c_proj.{kind}']
        found[f'{there}.embeddings.position_embedding.weight'] = state[f'{prefix}positional_embedding']
        found[f'{there}.embeddings.position_ids'] = torch.arange(len(state[f'{prefix}positional_embedding']))[None]
    for kind in ('weight', 'bias'):
        found[f'vision_model.pre_layrnorm.{kind}'] = state[f'visual.ln_pre.{kind}']
        found[f'vision_model.post_layernorm.{kind}'] = state[f'visual.ln_post.{kind}']
        found[f'text_model.final_layer_norm.{kind}'] = state[f'ln_final.{kind}']
    return {
        **found,
        'vision_model.embeddings.class_embedding': state['visual.class_embedding'],
        'vision_model.embeddings.patch_embedding.weight': state['visual.conv1.weight'],
        'text_model.embeddings.token_embedding.weight': state['token_embedding.weight'],
        'visual_projection.weight': state['visual.proj'].t(),
        'text_projection.weight': state['text_projection'].t(),
        'logit_scale': state['logit_scale'],
    }
