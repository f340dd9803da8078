"""The report: one HTML file that needs no network, with the explanation of every date behind its marks."""
