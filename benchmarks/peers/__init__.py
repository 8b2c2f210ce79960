"""Other people's programs, driven as they are: fetched into benchmarks/runs/peers, nothing of them is kept here."""
