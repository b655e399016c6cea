"""What any program needs and no music is in: configuration, registries, errors, logging, seeds, progress."""
