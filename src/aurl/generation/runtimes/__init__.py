"""What computes logits, one module a library, so that a program imports only the one it runs on.

ONNX Runtime 1.32 keeps a device id in the user's cache and reports each process to its makers; it is told not to before
it is imported.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
