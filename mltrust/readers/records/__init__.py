"""Files of records: each record is a leaf of the file's own tree."""
