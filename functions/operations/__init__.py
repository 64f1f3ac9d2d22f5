"""What operators can see and change; the function and the operators' machines run the same code."""
