"""What is drawn on a whole terminal: it shows and asks, and holds no rules."""
