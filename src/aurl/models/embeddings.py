"""Token rows to vectors: the embeddings of a row's fields are summed and normalised."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor, nn

from aurl.models.layers import normalise


class FieldEmbeddings(nn.Module):
    """One table a field. The norm makes the scale of a table free, so it starts small and learns fast."""

    def __init__(self, sizes: Sequence[int], width: int) -> None:
        super().__init__()
        tables = [nn.Embedding(size, width) for size in sizes]
        for table in tables:
            nn.init.normal_(table.weight, std=0.02)
        self.tables = nn.ModuleList(tables)

    def forward(self, rows: Int[Tensor, "b t i"]) -> Float[Tensor, "b t d"]:
        """Embed the first i fields of each row, i >= 1."""
        total: Tensor = self.tables[0](rows[..., 0])
        for field in range(1, rows.shape[-1]):
            total = total + self.tables[field](rows[..., field])
        return normalise(total)
