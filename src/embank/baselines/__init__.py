"""Yardsticks: what a user would do without a bank, with the same loop, schedule, early stopping and seeds as a tail."""
