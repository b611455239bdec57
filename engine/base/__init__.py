"""What everyone needs and nobody owns: errors, files, this machine, the input spec."""
