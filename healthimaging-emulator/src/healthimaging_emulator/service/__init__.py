"""What AWS publishes about the service: model, wire format, validation, errors, limits; and time."""
