"""LSTM, GRU and RNN: the batch beside the sequence, never as the sequence."""

from functools import partial

from smoothcert.engine.models.row_independence.call import Call, as_rows, uniform
from smoothcert.engine.models.row_independence.sizes import size
from smoothcert.engine.models.row_independence.values import Constant, Rows, Value
from smoothcert.engine.models.row_independence.verdict import refuse, unknown

_LENGTHS, _STATES, _PEEPHOLES = 4, 5, 7  # operands


def _recurrent(call: Call, states: int) -> list[Value]:
    rows, batch_first = call.rows(), bool(call.attributes.get("layout", 0))
    place = 0 if batch_first else 1
    if (rows.pre, rows.post) != (1, 1):
        unknown("its batch is folded with other axes")
    if rows.axis != place:
        refuse("reads the batch as its sequence")
    call.constants(1, _LENGTHS)
    call.constants(_PEEPHOLES)
    if call.value(_LENGTHS) is not None:
        unknown("lengths of sequences are not followed")
    for index in range(_STATES, _STATES + states):
        _initial_state(call, index, place)
    directions = size(2 if call.attribute("direction", "forward") == "bidirectional" else 1)
    hidden, length, batch = size(call.attributes["hidden_size"]), rows.shape[1 - place], call.batch
    if batch_first:
        every, last = (batch, length, directions, hidden), (batch, directions, hidden)
        return [Rows(every, 0), *[Rows(last, 0)] * states]
    return [
        Rows((length, directions, batch, hidden), 2),
        *[Rows((directions, batch, hidden), 1)] * states,
    ]


def _initial_state(call: Call, index: int, place: int) -> None:
    state = call.value(index)
    if isinstance(state, Constant):
        uniform(state, place, 1, 1, call.batch)
    elif state is not None and as_rows(state, "its state").layout != (place, 1, 1):
        unknown("its state does not follow the batch")


RULES = {
    "GRU": partial(_recurrent, states=1),
    "LSTM": partial(_recurrent, states=2),
    "RNN": partial(_recurrent, states=1),
}
