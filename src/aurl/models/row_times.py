"""Musical time of whole windows of rows at once: `data.tokenizers.row_clock.RowClock` as tensors, for training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
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
        when = rows[..., config.when]
        what = torch.where(when > 0, -1, rows[..., config.what])  # what has a position changes no time
        numbers = torch.arange(what.shape[1], device=what.device).expand(what.shape)
        metre = what - config.first_metre
        is_metre = (metre >= 0) & (metre < len(self.metre_steps))
        told = _last(is_metre, numbers)
        in_force = torch.where(told >= 0, metre.gather(1, told.clamp(min=0)), config.common_metre)
        is_bar, is_future = what == config.bar, what == config.future
        pending = torch.where(is_bar.cumsum(dim=1) > 0, self.metre_steps[in_force], 0)  # steps of the bar of each row
        is_now = (what >= config.now[0]) & (what < config.now[1])
        opened = _before(_last(is_future | is_now, numbers))
        is_back = is_now & is_future.gather(1, opened.clamp(min=0)) & (opened >= 0)
        opened = _last(is_future, numbers).clamp(min=0)
        resumes = is_back.gather(1, _before(_last(is_bar | is_back, numbers)).clamp(min=0))
        steps = torch.where(resumes, pending.gather(1, opened), _before(pending, 0))
        start = torch.where(is_bar, steps, 0).cumsum(dim=1)
        back = torch.where(is_back, start - start.gather(1, opened), 0).cumsum(dim=1)
        return start - back + (when - 1).clamp(min=0)


def _last(there: Bool[Tensor, "b t"], numbers: Int[Tensor, "b t"]) -> Int[Tensor, "b t"]:
    """The number of the last row that has it, up to each row; -1 before the first."""
    return torch.where(there, numbers, -1).cummax(dim=1).values


def _before(values: Int[Tensor, "b t"], first: int = -1) -> Int[Tensor, "b t"]:
    """What stands at the row before."""
    return F.pad(values[:, :-1], (1, 0), value=first)
