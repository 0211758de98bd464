"""``python -m mmtbps`` is the command ``mmtbps``."""

from .cli import main

if __name__ == '__main__':
    main()
