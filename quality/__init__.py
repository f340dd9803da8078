"""What may pass: the gate over store rows, its suites and events, and the row rules in plain words."""
