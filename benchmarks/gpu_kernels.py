"""Each kernel a few times on small inputs, for compute-sanitizer to watch.

compute-sanitizer --tool memcheck python benchmarks/gpu_kernels.py
"""

import gpu_checks
from gpu_suite import gpu_machine

if __name__ == "__main__":
    machine = gpu_machine()
    print(gpu_checks.noise_is_bit_exact(machine, (3, 15, 7), 16))
    print(gpu_checks.votes_are_exact(machine, 64, 37))
