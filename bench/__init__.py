"""Benchmarks: one table by `make bench`. Ratios are taken within one run; machines differ."""
