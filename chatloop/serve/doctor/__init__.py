"""`python -m chatloop doctor`: one line a check, each with what to type next.

A check is a module with `check(settings)`, which yields findings; it is imported by its name and
only when it is run, so that a missing package costs the lines that need it and no others.
"""
