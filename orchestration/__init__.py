"""What runs when: the plan of stages, the dependency gate, the nightly run."""
