"""ISO 8583 by somebody else's library (pyiso8583), to hold ours against. Everything about a bank's messages is read
from a JSON file that the test writes; nothing of our code is used.

    codec FILE        reads and writes every vector of ours, and makes as many of its own; answers in JSON
    client FILE PORT  signs on to a bank and asks the file's questions; answers in JSON what was answered
    server FILE       is a bank that signs on, echoes and takes payments; says its port, then what it was asked
"""

import json
import random
import socket
import sys
import time

import iso8583


def translated(pack):
    """A field pack of ours as a specification of pyiso8583."""

    def plain(encoding, length):
        return {"data_enc": encoding, "len_enc": "ascii", "len_type": 0, "max_len": length, "desc": ""}

    spec = {
        "h": plain("ascii", 0),
        "t": plain("b", 2) if pack["mti"] == "bcd" else plain("ascii", 4),
        "p": plain("b", 8) if pack["bitmap"] == "binary" else plain("ascii", 16),
        "1": plain("b", 8) if pack["bitmap"] == "binary" else plain("ascii", 16),
    }
    for number, field in pack["fields"].items():
        one = plain({"ascii": "ascii", "bcd": "b", "binary": "b", "gb18030": "gb18030"}[field["form"]], field["length"])
        one["len_type"] = field["prefix"]
        if field["prefix_form"] == "bcd":
            one["len_enc"] = "bcd"
            one["len_type"] = (field["prefix"] + 1) // 2
        if field["form"] == "bcd":
            one["len_count"] = "nibbles"
            one[field["pad"] + "_pad"] = "0"
        spec[number] = one
    return spec


def theirs(pack, fields):
    """Values as pyiso8583 has them: BCD is hexadecimal there, so a separator of tracks is D."""
    bcd = {n for n, field in pack["fields"].items() if field["form"] == "bcd"}
    return {n: value.replace("=", "D") if n in bcd else value for n, value in fields.items()}


def ours(pack, fields):
    track = {n for n, field in pack["fields"].items() if field["form"] == "bcd" and field["class"] == "z"}
    return {n: value.replace("D", "=") if n in track else value for n, value in fields.items() if n.isdigit() and n != "1"}


ALPHABETS = {
    "n": "0123456789",
    "z": "0123456789=",
    "an": "ABCXYZabcxyz0189 ",
    "ans": "ABCabc0189 .,:;-_/|",
    "b": "0123456789ABCDEF",
}


def value(rng, field):
    longest = field["length"]
    if field["form"] == "gb18030":
        return "".join(rng.choice("杭州市供电公司户号张三A1 ") for _ in range(rng.randint(0, min(longest, 60) // 2)))
    length = longest if field["prefix"] == 0 else rng.randint(0, min(longest, 70))
    if field["class"] == "xn":
        return rng.choice("CD") + "".join(rng.choice("0123456789") for _ in range(length - 1))
    count = length * 2 if field["class"] == "b" else length
    return "".join(rng.choice(ALPHABETS[field["class"]]) for _ in range(count))


def codec(given):
    differences, made, rng = [], [], random.Random(8583)
    for vector in given["vectors"]:
        pack = given["packs"][vector["pack"]]
        spec, raw = translated(pack), bytes.fromhex(vector["hex"])
        decoded, _ = iso8583.decode(raw, spec)
        if decoded["t"] != vector["mti"] or ours(pack, decoded) != vector["fields"]:
            differences.append({"read": decoded, "vector": vector})
        encoded, _ = iso8583.encode({"t": vector["mti"], **theirs(pack, vector["fields"])}, spec)
        if encoded != raw:
            differences.append({"written": encoded.hex(), "vector": vector})
    for name, pack in given["packs"].items():
        spec = translated(pack)
        for _ in range(200):
            numbers = rng.sample(sorted(pack["fields"]), rng.randint(0, 40))
            fields = {n: value(rng, pack["fields"][n]) for n in sorted(numbers, key=int)}
            raw, _ = iso8583.encode({"t": "0200", **theirs(pack, fields)}, spec)
            made.append({"pack": name, "mti": "0200", "fields": fields, "hex": raw.hex()})
    return {"checked": len(given["vectors"]), "differences": differences, "made": made}


class Line:
    """One connection of framed messages."""

    def __init__(self, connection, given):
        self.connection, self.pack, self.framing = connection, given["packs"][given["pack"]], given["framing"]
        self.spec, self.header = translated(self.pack), bytes.fromhex(given["framing"]["header"])

    def send(self, mti, fields):
        raw, _ = iso8583.encode({"t": mti, **theirs(self.pack, fields)}, self.spec)
        raw = self.header + raw
        length = b"%04d" % len(raw) if self.framing["length"] == "ascii4" else len(raw).to_bytes(2, "big")
        self.connection.sendall(length + raw)

    def exactly(self, count):
        raw = b""
        while len(raw) < count:
            more = self.connection.recv(count - len(raw))
            if not more:
                raise EOFError
            raw += more
        return raw

    def receive(self):
        ascii4 = self.framing["length"] == "ascii4"
        prefix = self.exactly(4 if ascii4 else 2)
        raw = self.exactly(int(prefix) if ascii4 else int.from_bytes(prefix, "big"))
        decoded, _ = iso8583.decode(raw[len(self.header) :], self.spec)
        return decoded["t"], ours(self.pack, decoded)


def client(given, port):
    line = Line(socket.create_connection(("127.0.0.1", port)), given)
    answers = []
    for question in given["questions"]:
        line.send(question["mti"], question["fields"])
        mti, fields = line.receive()
        answers.append({"mti": mti, "fields": fields})
    return answers


def server(given):
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    line, asked, paid = Line(connection, given), [], set()
    try:
        while True:
            mti, fields = line.receive()
            asked.append({"mti": mti, "fields": fields})
            answer = {n: v for n, v in fields.items() if n != "90"}
            answer["7"] = time.strftime("%m%d%H%M%S", time.gmtime())
            answer["39"] = "00"
            if fields.get("3") == given["pay"]:
                if mti.startswith("042"):
                    paid.discard(fields["37"])
                else:
                    paid.add(fields["37"])
            if fields.get("3") == given["inquire"]:
                answer["39"] = "00" if fields["37"] in paid else "25"
            line.send(mti[:2] + str(int(mti[2]) + 1) + "0", answer)
    except EOFError:
        return asked


def main():
    mode, path = sys.argv[1:3]
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    if mode == "codec":
        result = codec(given)
    elif mode == "client":
        result = client(given, int(sys.argv[3]))
    else:
        result = server(given)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
