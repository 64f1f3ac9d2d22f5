"""Dead letters: looking at them, sending them back to work, discarding them."""
