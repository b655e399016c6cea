"""Generation entry point: `python generate_pipeline.py --model M -o OUT` is `aurl generate --model M -o OUT`."""

import sys

from aurl.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "generate")
    main()
