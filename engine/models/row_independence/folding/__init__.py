"""What is known before any image is: constants, shapes, and numbers that follow from the batch."""
