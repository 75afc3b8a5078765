"""What app.py is made of beside its widgets: settings, folders, jobs and words."""
