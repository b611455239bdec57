"""What a model, images or a log are, and the command to type next: `smoothcert doctor PATH`."""
