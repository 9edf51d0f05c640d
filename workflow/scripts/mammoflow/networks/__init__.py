"""Networks, their weights, and the machine that they run on."""
