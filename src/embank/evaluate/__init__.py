"""How well vectors and tasks do: graded pairs (sts), retrieval, and tasks that training has not seen (transfer)."""
