"""What is checked and estimated before a training starts, and after its first evaluations."""
