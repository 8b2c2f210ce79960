"""`python -m rivals`, and what torchrun starts: `torchrun --nproc-per-node=2 -m rivals train ...`."""

from .cli import main

if __name__ == "__main__":
    main()
