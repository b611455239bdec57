"""A denoiser in front of a classifier as one network: denoised smoothing."""
