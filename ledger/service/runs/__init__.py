"""Running a program under supervision."""
