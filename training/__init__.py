"""Training of base classifiers with Gaussian augmentation."""
