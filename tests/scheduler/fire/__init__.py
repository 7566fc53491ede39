"""The trial by fire: whoever sends is killed, the carrier loses replies, and every text still leaves once."""
