"""Networks, weights and runtimes. The only package that imports torch."""
