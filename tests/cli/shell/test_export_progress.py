"""The stages of an export: each a line, which the next one ends."""

from smoothcert.cli.shell.export_progress import ExportProgress


def test_a_stage_ends_the_one_before() -> None:
    progress = ExportProgress()
    progress.ran(1)  # of no stage
    progress.stage("writing ONNX")
    progress.stage("trying 74 of 74 layers", 192)
    progress.ran(8)
    progress.ran(8)
    first, second = progress._progress.tasks
    assert (first.completed, first.total) == (1, 1)
    assert (second.completed, second.total) == (16, 192)
    progress.stage("comparing", 64)
    assert (second.completed, second.total) == (16, 16)
    assert second.finished
    assert [task.description for task in progress._progress.tasks][-1] == "comparing"
