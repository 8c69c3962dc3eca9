"""Run coding-agent CLIs unattended: the rooms of rally, laps and mittelo."""
