"""Tables, plots and reports made from certification logs."""
