"""Benchmarks: ratios beside a peer measured in the same run. Never asserted; `make bench` prints them."""
