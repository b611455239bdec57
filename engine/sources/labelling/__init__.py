"""From what a stranger calls a class to the index that the model calls it."""
