"""What the store costs: each benchmark runs several times in fresh processes, and the page shows medians."""
