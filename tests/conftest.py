"""What every test has for itself: a home, XDG folders, a working directory."""
