"""A Python function for every operator in a list of names and documentation."""

import sys


def main():
    print('"""Operators. Generated."""\n\nfrom . import _flow')
    with open(sys.argv[1]) as lines:
        for line in lines:
            name, doc = line.rstrip("\n").split("\t")
            text = '\n\ndef {}(values):\n    """{}"""\n    return _flow.run("{}", values)'
            print(text.format(name, doc, name))


if __name__ == "__main__":
    main()
