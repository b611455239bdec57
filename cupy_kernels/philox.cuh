// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw (SC 2011).
//
// Device code that an ordinary C++ compiler accepts too: nothing here needs CUDA.
#ifndef SMOOTHCERT_PHILOX_CUH
#define SMOOTHCERT_PHILOX_CUH

#if defined(__CUDACC__)
#define SMOOTHCERT_DEVICE __device__ __forceinline__
#else
#define SMOOTHCERT_DEVICE inline
#endif

namespace smoothcert {

struct PhiloxWords {
  unsigned int word[4];
};

// Both halves of a 32-bit product, in one instruction: compilers spend a second one, an addition of
// zero, on the plain expression with a constant.
SMOOTHCERT_DEVICE unsigned long long wide_product(unsigned int a, unsigned int b) {
#if defined(__CUDACC__)
  unsigned long long product;
  asm("mul.wide.u32 %0, %1, %2;" : "=l"(product) : "r"(a), "r"(b));
  return product;
#else
  return static_cast<unsigned long long>(a) * b;
#endif
}

// The four output words of the counter (c0, c1, c2, c3) under the key (k0, k1).
SMOOTHCERT_DEVICE PhiloxWords philox4x32_10(unsigned int c0, unsigned int c1, unsigned int c2,
                                            unsigned int c3, unsigned int k0, unsigned int k1) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const unsigned long long product_0 = wide_product(c0, 0xD2511F53u);
    const unsigned long long product_1 = wide_product(c2, 0xCD9E8D57u);
    c0 = static_cast<unsigned int>(product_1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<unsigned int>(product_0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<unsigned int>(product_1);
    c3 = static_cast<unsigned int>(product_0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

}  // namespace smoothcert

#endif
