"""`python -m cli` is `insitu`."""

from cli.app import main

if __name__ == "__main__":
    main()
