"""What is said of a file that cannot be brought over faithfully."""

from smoothcert.engine.base.errors import InputError


class UnsupportedGraphError(InputError):
    """An ONNX file holds something that this reader does not bring over.

    The message is one line and names the operator, its opset, the node and the reason, where it
    is a node that is at fault.
    """
