"""Pure functions on arrays, and sums that merge: what a number means is decided here, once."""
