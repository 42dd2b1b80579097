"""Yardsticks: what a user would do without a bank, measured with the same loop, schedule and seeds."""
