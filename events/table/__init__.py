"""What the sample files say, in clear."""
