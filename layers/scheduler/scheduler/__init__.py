"""The scheduler's shared layer: messages in, devices taken back, users told."""
