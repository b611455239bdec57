"""Consistency regularisation (Jeong and Shin 2020): noisy copies of an image should agree."""

import math

import torch
from torch.nn import functional


def consistency_loss(logits: torch.Tensor, weight: float, eta: float) -> torch.Tensor:
    """`weight * E_i[KL(mean || p_i)] + eta * H(mean)` of each image, summed over the images.

    logits  float [m, N, K]: of m noisy copies of N images; p_i are their softmaxes, mean is the
            average of those over the copies

    Equations 8 and 9 of Jeong and Shin 2020, with the paper's lambda as `weight`.
    """
    log_p = torch.log_softmax(logits, dim=2)
    log_mean = torch.logsumexp(log_p, dim=0) - math.log(len(logits))
    mean = log_mean.exp()
    divergence = functional.kl_div(
        log_p, log_mean.expand_as(log_p), reduction="none", log_target=True
    )
    entropy = -(mean * log_mean).sum()
    return weight * divergence.sum() / len(logits) + eta * entropy
