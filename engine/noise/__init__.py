"""The noise law and its CPU sampler, bit for bit."""
