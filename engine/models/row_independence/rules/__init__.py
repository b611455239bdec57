"""What each operator does to the batch, by family."""
