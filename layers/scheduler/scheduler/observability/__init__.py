"""Log lines and CloudWatch metrics."""
