"""The recipes of docs/recipes.md, walked.

NAME.txt has the small edits: where they go (a text that stands once in the file), and what is written there.
NAME.py is run on the copy in which they were made, and sees the new thing work.
"""
