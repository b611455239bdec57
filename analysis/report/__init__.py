"""A report on certification logs: one HTML file that needs nothing but a browser."""
