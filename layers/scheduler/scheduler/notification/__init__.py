"""What users are told: kinds, channels, texts."""
