"""What an operator types on the device."""
