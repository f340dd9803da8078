"""Sources to `nba_raw`: what arrives is loaded, merged, not wanted by design or quarantined; never dropped in silence."""
