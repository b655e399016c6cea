"""Models: token rows in, logits per field out; nothing here knows of training, decoding or music.

`config`, `folders` and `onnx_graph` do without torch, so this package imports nothing.

Shapes: b batch, t time (token rows), f fields, i fields already chosen, d width, h heads, k head width, v vocabulary,
l layers, c context, s tokens seen (cached and new).
"""
