// Moves a batch's rows on to the samples of the next batch, on the device.
#include "rows.cuh"

// sample += step. A row whose samples are used up (indices have 32 bits) becomes padding.
extern "C" __global__ void __launch_bounds__(512)
    advance_rows(smoothcert::Row *__restrict__ rows, unsigned int num_rows) {
  for (unsigned int row = blockIdx.x * blockDim.x + threadIdx.x; row < num_rows;
       row += gridDim.x * blockDim.x) {
    const unsigned int sample = rows[row].sample + rows[row].step;
    if (sample < rows[row].step) rows[row].slot = -1;
    rows[row].sample = sample;
  }
}
