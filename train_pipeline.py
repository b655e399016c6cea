"""Training entry point: `python train_pipeline.py CONFIG [key=value ...]` is `aurl train CONFIG [key=value ...]`."""

import sys

from aurl.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
