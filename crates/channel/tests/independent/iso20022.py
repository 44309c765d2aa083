"""ISO 20022 by others: the published schemas (as sepaxml, pain001 and camt053 carry them) hold what we write.
Nothing of our code is used.

    validate FILE...  says of each file whether its schema holds it; answers in JSON
"""

import json
import pathlib
import re
import sys

import xmlschema

PLACES = ["sepaxml/schemas", "pain001/pain002/schemas", "camt053/xsd"]


def schema(name):
    for folder in sys.path:
        for place in PLACES:
            path = pathlib.Path(folder) / place / f"{name}.xsd"
            if path.exists():
                return xmlschema.XMLSchema(str(path))
    raise SystemExit(f"no schema of {name}")


def main():
    faults = {}
    for file in sys.argv[2:]:
        text = pathlib.Path(file).read_text(encoding="utf-8")
        name = re.search(r"urn:iso:std:iso:20022:tech:xsd:([a-z0-9.]+)", text).group(1)
        faults[name] = [str(error.reason) for error in schema(name).iter_errors(text)]
    print(json.dumps(faults))


if __name__ == "__main__":
    main()
