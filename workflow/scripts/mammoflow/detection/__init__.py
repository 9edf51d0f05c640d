"""From a trained network to probabilities, maps and boxes."""
