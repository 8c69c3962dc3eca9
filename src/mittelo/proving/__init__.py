"""Prove that backends work here: doctor, system tests, the matrix, pair smoke, the version lock."""
