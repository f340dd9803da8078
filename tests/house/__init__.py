"""Tests of the house itself: layers, names, files, and which failure modes are planted."""
