"""Draw saliency maps of an image for a sentence and for words of it."""

from mmtbps.cli import Command
from mmtbps.cli.arguments import CfgOptions, Device, Words, config_of
from mmtbps.core.commands import run_command


def draw(
    config: str,
    checkpoint: str,
    image: str,
    sentence: str,
    out: str,
    /,
    *,
    words: Words = None,
    device: Device = None,
    cfg_options: CfgOptions = None,
) -> None:
    """Draw saliency maps of an image for a sentence and for words of it.

    Args:
        config: Config file, or its name.
        checkpoint: Checkpoint file.
        image: Image file.
        sentence: Description of the person.
        out: Picture to write.
        words: Words of the sentence to draw a map of each.
    """
    from mmtbps.search import ModelEncoder
    from mmtbps.search.saliency import draw_saliency

    encoder = ModelEncoder(config_of(config, cfg_options), checkpoint, device)
    draw_saliency(encoder, image, sentence, words or [], out)
    print(f'written: {out}')


main = Command(draw)

if __name__ == '__main__':
    run_command(main)
