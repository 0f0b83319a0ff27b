"""`python -m pellucid`: the program `pellucid` where a shell does not find it."""

from pellucid.cli import main

if __name__ == "__main__":
    main()
