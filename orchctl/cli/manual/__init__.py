"""Reading matter made from the code: the man pages under man/ and the reference under docs/.

No verb imports this; tests compare what it makes with the committed files. The troff writer is our own because
click-man (0.6) reads click's commands, and typer 0.29 brings its own that are not click's.
"""
