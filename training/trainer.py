"""Training base classifiers with Gaussian augmentation, as the original code does."""

import math
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch.nn import functional
from torch.optim import SGD

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import DECODERS
from smoothcert.engine.sources import ImageSource
from smoothcert.training.data import TrainingData
from smoothcert.training.epoch_log import Epoch
from smoothcert.training.images import Images, open_images
from smoothcert.training.network import base_classifier
from smoothcert.training.order import Stream, evaluation_steps, seed_torch, training_steps
from smoothcert.training.outdir import TrainingFolder
from smoothcert.training.processes import Processes, processes
from smoothcert.training.settings import TrainSettings
from smoothcert.training.steps import Totals, loss_sum, noisy_logits

# Steps between two looks at the loss, each of which makes a GPU wait for the host.
_LOOK = 20


class Watcher(Protocol):
    """Is told how a training goes."""

    def begin(self, epochs: int, done: int, images: int) -> None:
        """`done` of all epochs were trained before; an epoch has so many images."""
        ...

    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        """So many more images were trained on; means of the epoch so far, accuracy in per cent."""
        ...

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is over and saved."""
        ...


@dataclass(frozen=True)
class TrainSummary:
    """What a call of train came to.

    epochs  all lines of the log, `now` of them from this call
    first   whether this process is the one, among those of torchrun, that reports
    """

    checkpoint: Path
    epochs: list[Epoch]
    now: int
    seconds: float
    first: bool


def train(
    settings: TrainSettings,
    data: TrainingData,
    folder: Path,
    *,
    device: str | None = None,
    workers: int = 4,
    watcher: Watcher | None = None,
) -> TrainSummary:
    """Train until `settings.epochs` epochs are in folder/checkpoint.pth.tar, and test each.

    Noise is torch's, added to [0, 1] pixels before the normalisation; it is no part of any
    certificate. Every epoch's randomness is a function of the seed and the epoch, so a run that
    goes on from its checkpoint ends with the weights of an uninterrupted one, bit for bit on the
    same CPU with the same number of threads. Seeds torch's global generators.

    device   "cpu", "cuda" or "cuda:0"; None: the GPU if there is one. Under torchrun every
             process calls this, and the batch is divided among them.
    workers  processes that decode photographs
    Raises InputError where workers are out of range, where the folder holds another training, and
    where the loss diverges; the last epoch's checkpoint is then kept.
    """
    DECODERS.check(workers)
    with processes(device) as place:
        files = TrainingFolder(folder, settings, data, place.world)
        with files.locked() if place.first else nullcontext():
            try:
                trainer = _Trainer(settings, data, files, place, workers)
                return trainer.run(watcher if place.first else None)
            except torch.OutOfMemoryError:
                raise InputError(
                    f"batch {settings.batch} does not fit the memory of {place.device}: lower "
                    "--batch, or use --bf16"
                ) from None


class _Trainer:
    """The state of a training between epochs; making one resumes."""

    def __init__(
        self,
        settings: TrainSettings,
        data: TrainingData,
        files: TrainingFolder,
        place: Processes,
        workers: int,
    ) -> None:
        self._settings = settings
        self._data = data
        self._files = files
        self._place = place
        self._workers = workers
        seed_torch(settings.seed, Stream.WEIGHTS)
        self._network = base_classifier(settings.arch, data.num_classes, data.spec)
        self._network.to(place.device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimizer = SGD(
            self._network.parameters(),
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        self._epochs = files.resume(self._network, self._optimizer)
        # After the weights are loaded: every process gets the first one's.
        self._parallel = place.averaging(self._network)
        # Batches have one shape: cuDNN may try its kernels and keep the fastest.
        torch.backends.cudnn.benchmark = place.device.type == "cuda"

    def run(self, watcher: Watcher | None) -> TrainSummary:
        """Train the epochs that are missing."""
        start = time.monotonic()
        before = len(self._epochs)
        if before and self._place.first:
            self._files.write_log(self._epochs)
        if before < self._settings.epochs:
            self._run_epochs(watcher)
        seconds = time.monotonic() - start
        now = len(self._epochs) - before
        return TrainSummary(self._files.checkpoint, self._epochs, now, seconds, self._place.first)

    def _run_epochs(self, watcher: Watcher | None) -> None:
        train = self._images(self._data.train, self._settings.crop_flip)
        test = self._images(self._data.test, augment=False) if self._data.test else None
        if watcher:
            watcher.begin(self._settings.epochs, len(self._epochs), len(train))
        for epoch in range(len(self._epochs), self._settings.epochs):
            start = time.monotonic()
            trained = self._train(train, epoch, watcher)
            tested = self._test(test, epoch) if test else (math.nan, math.nan)
            lr = self._optimizer.param_groups[0]["lr"]
            self._epochs.append(Epoch(epoch, time.monotonic() - start, lr, *trained, *tested))
            if self._place.first:
                self._files.write(self._network, self._optimizer, self._epochs)
            if watcher:
                watcher.epoch(self._epochs[-1])

    def _images(self, source: ImageSource, augment: bool) -> Images:
        seed, place = self._settings.seed, self._place
        return open_images(source, self._data.spec, augment, seed, place.device, self._workers)

    def _train(self, images: Images, epoch: int, watcher: Watcher | None) -> tuple[float, float]:
        """Train one epoch; its mean loss and accuracy."""
        settings, place = self._settings, self._place
        steps = training_steps(settings.seed, epoch, len(images), settings.batch, place.world)
        own = [step[place.rank :: place.world] for step in steps]
        seed_torch(settings.seed, Stream.TRAINING, epoch, place.rank)
        totals = Totals(place.device)
        seen = 0
        self._parallel.train()
        for number, (batch, labels) in enumerate(images.batches(own, epoch)):
            for group in self._optimizer.param_groups:
                group["lr"] = settings.learning_rate(epoch, number / len(steps))
            logits = noisy_logits(
                self._parallel, batch, settings.sigma, settings.copies, settings.bf16
            )
            loss = loss_sum(logits, labels, settings)
            self._optimizer.zero_grad()
            # The mean over the step's images: gradients are averaged over processes, whose shares
            # of the step may differ by an image.
            (loss * place.world / len(steps[number])).backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            totals.add(loss, logits, labels)
            seen += len(steps[number])
            if number % _LOOK == _LOOK - 1 or number == len(steps) - 1:
                self._look(totals, epoch, seen, watcher)
                seen = 0
        if not all(weight.isfinite().all() for weight in self._network.parameters()):
            raise self._diverged("a weight is not finite after", epoch)
        return totals.means(place)

    def _look(self, totals: Totals, epoch: int, seen: int, watcher: Watcher | None) -> None:
        """Report progress; raise InputError where the loss is no longer finite."""
        loss, accuracy = totals.means()
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss} in", epoch)
        if watcher:
            watcher.step(epoch, seen, loss, accuracy)

    def _diverged(self, what: str, epoch: int) -> InputError:
        kept = f"epoch {epoch - 1} is kept" if epoch else "nothing was saved"
        return InputError(
            f"training diverged: {what} epoch {epoch} at lr "
            f"{self._optimizer.param_groups[0]['lr']:g}; {kept}: lower --lr and use another folder"
        )

    @torch.no_grad()
    def _test(self, images: Images, epoch: int) -> tuple[float, float]:
        """Mean cross entropy and accuracy of one noisy version of each test image."""
        settings, place = self._settings, self._place
        place.share(self._network)
        own = evaluation_steps(len(images), settings.batch, place.rank, place.world)
        seed_torch(settings.seed, Stream.TEST, epoch, place.rank)
        totals = Totals(place.device)
        self._network.eval()
        for batch, labels in images.batches(own, None):
            logits = noisy_logits(self._network, batch, settings.sigma, 1, settings.bf16)
            totals.add(functional.cross_entropy(logits[0], labels, reduction="sum"), logits, labels)
        return totals.means(place)
