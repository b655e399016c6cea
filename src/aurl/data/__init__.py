"""From scores to batches: the stored corpus, tokenizers, and the order in which training reads them."""
