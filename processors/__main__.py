"""`python -m processors` is `imaging-reference`."""

from processors.cli import main

if __name__ == "__main__":
    main()
