"""Tests of the simulated league."""
