"""What this machine is: `detect` measures what can be offered to apps."""
