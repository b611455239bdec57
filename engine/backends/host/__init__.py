"""Networks on a CPU."""
