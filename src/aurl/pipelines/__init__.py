"""Puts the parts together: the only layer that knows them all. The CLI is a thin skin over these functions."""
