"""What a feature, a table, a rule, an error and a setting is. No warehouse, no network, nothing of ours imported."""
