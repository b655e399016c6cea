"""Musical time of whole windows of rows at once: `data.tokenizers.row_clock.RowClock` as tensors, for training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn

from aurl.data.tokenizers.row_clock import RowClockConfig


class RowTimes(nn.Module):
    """Steps of every row since the first of its window."""

    metre_steps: Tensor

    def __init__(self, config: RowClockConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("metre_steps", torch.tensor(config.metre_steps), persistent=False)

    def forward(self, rows: Int[Tensor, "b t f"]) -> Int[Tensor, "b t"]:
        """The time of each row."""
        config = self.config
        what, when = rows[..., config.what], rows[..., config.when]
        numbers = torch.arange(what.shape[1], device=what.device)
        metre = what - config.first_metre
        is_metre = (metre >= 0) & (metre < len(self.metre_steps))
        told = torch.where(is_metre, numbers, -1).cummax(dim=1).values
        in_force = torch.where(told >= 0, metre.gather(1, told.clamp(min=0)), config.common_metre)
        length = self.metre_steps[in_force]
        is_bar = what == config.bar
        pending = torch.where(is_bar.cumsum(dim=1) > 0, length, 0)  # steps of the bar that each row is in
        opened = torch.where(what == config.future, numbers, -1).cummax(dim=1).values
        first, end = config.now
        is_back = (what >= first) & (what < end) & (opened >= 0)
        opened = opened.clamp(min=0)
        before = torch.where(is_bar | is_back, numbers, 0).cummax(dim=1).values
        resumes = is_back.gather(1, F.pad(before[:, :-1], (1, 0)))
        last = torch.where(resumes, pending.gather(1, opened), F.pad(pending[:, :-1], (1, 0)))
        start = torch.where(is_bar, last, 0).cumsum(dim=1)
        back = torch.where(is_back, start - start.gather(1, opened), 0).cumsum(dim=1)
        return start - back + (when - 1).clamp(min=0)
