"""A backend turns a prompt into an answer: which one is meant, whether it can, and its run."""
