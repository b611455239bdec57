"""Everything TensorRT: build, plan, trust, cache, run."""
