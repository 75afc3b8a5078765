"""The fairness review: what an edit does to different groups of people."""
