"""The formats that can be written: CSV and TSV, JSON lines, Parquet."""
