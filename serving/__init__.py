"""What leaves the store: materialization through the gate, training sets and lookups."""
