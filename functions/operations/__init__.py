"""What operators can see and change: the same code behind the function and on one machine."""
