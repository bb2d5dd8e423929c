"""What is kept beside a seal: salts and tombstones of a blinded one, and the record store."""
