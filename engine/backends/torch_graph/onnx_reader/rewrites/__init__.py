"""Several nodes as the one call that they amount to, where that is exact."""
