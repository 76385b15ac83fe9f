"""What things cost, and what the gate decides: `python -m benchmarks`, `.decision`, `.gate`, `.recorded`."""
