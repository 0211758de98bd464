"""Checkpoints of the shape that authors published theirs in, with random weights."""

import torch

VOCABULARY, CONTEXT = 49_408, 77


def _blocks(prefix, width, layers):
    shapes = {}
    for number in range(layers):
        block = f'{prefix}transformer.resblocks.{number}.'
        shapes |= {
            f'{block}attn.in_proj_weight': (3 * width, width),
            f'{block}attn.in_proj_bias': (3 * width,),
            f'{block}attn.out_proj.weight': (width, width),
            f'{block}attn.out_proj.bias': (width,),
            f'{block}mlp.c_fc.weight': (4 * width, width),
            f'{block}mlp.c_fc.bias': (4 * width,),
            f'{block}mlp.c_proj.weight': (width, 4 * width),
            f'{block}mlp.c_proj.bias': (width,),
        }
        for norm in ('ln_1', 'ln_2'):
            shapes |= {f'{block}{norm}.weight': (width,), f'{block}{norm}.bias': (width,)}
    return shapes


def irra_shapes(vision=768, text=512, layers=12, dim=512, places=193):
    """Names and shapes of IRRA's towers, 301 of them, which are those of NAM, HAM and GA-DMS too."""
    visual = 'base_model.visual.'
    shapes = {
        'base_model.positional_embedding': (CONTEXT, text),
        'base_model.text_projection': (text, dim),
        'base_model.token_embedding.weight': (VOCABULARY, text),
        **_blocks('base_model.', text, layers),
        f'{visual}class_embedding': (vision,),
        f'{visual}positional_embedding': (places, vision),
        f'{visual}proj': (vision, dim),
        f'{visual}conv1.weight': (vision, 3, 16, 16),
        **_blocks(visual, vision, layers),
    }
    norms = {'base_model.ln_final': text, f'{visual}ln_pre': vision, f'{visual}ln_post': vision}
    for norm, width in norms.items():
        shapes |= {f'{norm}.weight': (width,), f'{norm}.bias': (width,)}
    return shapes


def random_weights(shapes, prefix='', half=True):
    """Draw weights; matrices in half precision, embeddings and norms in single, as IRRA's code base saves them."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in shapes.items():
        value = 0.02 * torch.randn(shape, generator=generator)
        single = any(part in name for part in ('ln_', 'embedding'))
        state[prefix + name] = (
            value + ('ln_' in name and name.endswith('weight')) if single or not half else value.half()
        )
    return state


def nam_checkpoint(moments=True, **sizes):
    """A checkpoint as NAM's: weights under two wrappers, and the moments of Adam."""
    content = dict(model=random_weights(irra_shapes(**sizes), 'module.'), epoch=3, scheduler=dict(last_epoch=3))
    if moments:
        weights = content['model'].values()
        state = {number: dict(exp_avg=value.clone(), exp_avg_sq=value.clone()) for number, value in enumerate(weights)}
        content['optimizer'] = dict(state=state, param_groups=[dict(lr=1e-5, eps=1e-3)])
    return content
