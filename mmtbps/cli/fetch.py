"""``mmtbps fetch``: the weights of a published model, verified and converted."""

__all__ = ['fetch']


def fetch(name: str, /, *, file: str | None = None, words: str | None = None, word_table: str | None = None) -> None:
    """Fetch the weights of a published model, verify their SHA-256, and convert them.

    Everything lies in one folder, $MMTBPS_HOME or ~/.cache/mmtbps, which can be copied to a machine without network.

    For example:

        mmtbps fetch nam

    Args:
        name: Name of the model; `mmtbps models` lists them.
        file: The file, if it was fetched by other means; needs no network.
        words: For textreid-*: the word of every row, one a line.
        word_table: For textreid-*: vectors of the words, .npy or .pth.
    """
    from mmtbps.zoo import fetch_model

    config, weights = fetch_model(name, file, words=words, word_table=word_table)
    print(f'{name}: {weights}, with {config.name} beside it. Use it: --model {name}')
