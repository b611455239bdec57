"""Could a trial have ended as a log says it did? What samples it was sent, and what it was told."""
