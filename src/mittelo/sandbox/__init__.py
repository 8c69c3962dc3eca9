"""What a run may do, and the outer sandbox that keeps it to that: bubblewrap, on Linux."""
