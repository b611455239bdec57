"""Files that strangers bring, and what each must give: 38 rows, a case each.

    PYTHONPATH=tests/helpers .venv/bin/python -m strangers

writes the files of every case into a folder of its own, runs the command, and prints what held.
"""
