"""How good a model and its music are: likelihood of held-out pieces, and figures of a score beside real ones."""
