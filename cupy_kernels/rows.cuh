// The row table: what each row of a batch is, kept in device memory so that a captured graph
// replays without arguments from the host.
#ifndef SMOOTHCERT_ROWS_CUH
#define SMOOTHCERT_ROWS_CUH

namespace smoothcert {

// uint32 [rows, 4] to the host. A slot of -1 marks padding: nothing is drawn, nothing votes.
struct alignas(16) Row {
  int slot;              // of the image in device memory
  unsigned int sample;   // sample index
  unsigned int purpose;  // of the sample's stream
  unsigned int padding;  // to 16 bytes, which are read at once
};

}  // namespace smoothcert

#endif
