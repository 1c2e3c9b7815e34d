"""Where a training is computed: device, precision, memory, threads, several cards or machines."""
