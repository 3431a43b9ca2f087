"""The gate: every check that this machine can run, one after the other, and one answer at the end.

``python -m tests.gate`` runs all steps of ``steps.py``, or those named. ``run.py`` carries one out and gives what failed in a
server world its second chance, ``plugin.py`` notes what pytest sees, ``report.py`` says it at the end.
"""
