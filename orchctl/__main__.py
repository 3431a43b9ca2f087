"""``python -m orchctl`` behaves like the console script."""

from orchctl.boot import main

if __name__ == "__main__":
    main()
