"""What app.py is made of beside its widgets: settings, visits, jobs and words."""
