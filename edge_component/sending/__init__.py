"""Upload to S3: one object, never over another, believed only with our checksum."""
