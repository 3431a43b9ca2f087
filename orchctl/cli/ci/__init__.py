"""What CI services read besides the log: annotations, summaries, outputs, sections and report files.

Imported only when GITHUB_ACTIONS, GITLAB_CI or --report asks for it.
"""
