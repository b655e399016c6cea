"""Models: token rows in, logits per field out; nothing here knows of training, decoding or music.

Shapes: b batch, t time (token rows), f fields, i fields already chosen, d width, h heads, k head width, v vocabulary,
l layers, c context, s tokens seen (cached and new).
"""

from aurl.models.kv_cache import KVCache
from aurl.models.music_model import MusicModel, MusicModelConfig

__all__ = ["KVCache", "MusicModel", "MusicModelConfig"]
