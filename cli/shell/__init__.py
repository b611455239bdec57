"""Between a shell and the commands: numbers that are typed, lines that are printed, signals."""
