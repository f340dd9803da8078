"""How each table is made: GoogleSQL rendered from the contracts, and the sources that fill `nba_raw`."""
