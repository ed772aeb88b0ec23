"""What a key result is: events, declarations, and the compiler from one to the other. Pure: no clock, no network."""
