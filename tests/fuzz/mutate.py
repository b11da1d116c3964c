# SPDX-License-Identifier: GPL-2.0-only
"""Makes bad inputs of good ones: of bytes, and of what a file says. All chance comes from the Random that is given."""

import copy
import json
import math
import re

BYTES = [b"", b"\0", b"\n", b"\r\n", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\x7f",
         b"\x1b[2J", b"\x1b]0;x\x07", b'"', b"{}", b"[" * 2000, b"1e999", b"-1", b"9" * 25, b"9" * 5000, b"NaN",
         b"null", b"\\ud800", b"A" * 20000, b"\t", b",", b":", b"%", b"../../x", b" " * 300, b"\n" * 300]  # fmt: skip
NUMBERS = [0, -1, 1, 2, 0.5, -0.0, 1e-320, 1e18, 1e300, 1e308, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, 10**400,
           math.inf, -math.inf, math.nan, True, False]  # fmt: skip
WORDS = ["", " ", "x", "\0", "\n", "\ud800", "\u202e", "\x1b[31m", "\x9b2J", "é", "١٢", "a" * 300, "b" * 20000,
         "../../x", "-", "--", "it's", '"open', "%", "%s", "{}", "{0}", "$(id)", "<script>", "&amp;", "#", "nan", "inf",
         "1e999", "none", "scan-wp", "clear_refs", "anon", "time", "instructions", "dirty", "kernel", "tcg-icount",
         "shared", "\N{GRINNING FACE}", "a\tb", "a\r\nb", "__class__", "None", "\ufeff", "$\\frac{$", "x_{1", "a|b",
         "\N{COMBINING ACUTE ACCENT}" * 50, "=1+1", ",", ";", "\\", "/"]  # fmt: skip


def of_bytes(random, data):
    """A few changes: bytes flipped, cut out, doubled, moved, or something odd put in."""
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        at = random.randrange(len(data) + 1)
        length = min(len(data) - at, random.choice((1, 1, 2, 4, 16, 64, 4096)))
        match random.randrange(6):
            case 0 if length:
                data[at] ^= 1 << random.randrange(8)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length] * random.choice((1, 1, 2, 50))
            case 3:
                data[at : at + length] = random.choice(BYTES)
            case 4 if length:
                data[at] = random.randrange(256)
            case _:
                data[at:at] = random.choice(BYTES)
    return bytes(data)


def of_text(random, text):
    """The same of text, which may then hold halves of characters."""
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(text) + 1)
        length = random.choice((0, 0, 1, 2, 8, 100))
        text = text[:at] + random.choice((random.choice(WORDS), text[at : at + length] * 2)) + text[at + length :]
    return text


def of_tree(random, tree):
    """A copy with a few nodes changed: other values, types and names, one more or less, deeper, or doubled."""
    tree = copy.deepcopy(tree)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        holder, key = _place(random, tree)
        if holder is None:
            return _value(random, tree)
        _change(random, holder, key)
    return tree


def _place(random, tree):
    """Where a node is, chosen by going down by chance: what holds it, and under which key."""
    holder = key = None
    node = tree
    while isinstance(node, dict | list) and node and (holder is None or random.random() < 0.75):
        holder, key = node, random.choice(list(node)) if isinstance(node, dict) else random.randrange(len(node))
        node = holder[key]
    return holder, key


def _change(random, holder, key):
    match random.randrange(8):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        case 1:
            holder[random.choice(WORDS)] = holder[key]
        case 2 if isinstance(holder, dict):
            other = random.choice(list(holder))
            holder[key], holder[other] = holder[other], holder[key]
        case 2:
            random.shuffle(holder)
        case 3 if isinstance(holder, dict):
            holder[random.choice(WORDS)] = holder.pop(key)
        case _:
            holder[key] = _value(random, holder[key])


def _value(random, old):
    """Another value, of the same type as often as not."""
    if random.random() < 0.7:
        near = random.random() < 0.7
        if isinstance(old, str):
            return of_text(random, old) if near else random.choice(WORDS)
        if isinstance(old, int | float):
            return random.choice((old + 1, 2 * old, old // 2) if near else (*NUMBERS, -old, old * 10**9, str(old)))
        return type(old)() if isinstance(old, dict | list) else 0
    others = (None, [], {}, [[]], random.choice(NUMBERS), random.choice(WORDS), [old], {"x": old}, _deep(random))
    return random.choice(others)


def _deep(random):
    """What dumped() makes lists in lists of."""
    return f"deep{random.choice((5, 200, 900, 3000))}"


def dumped(random, tree):
    """JSON of a tree, now and then with a name twice, a mark of the byte order, or other spaces."""
    text = json.dumps(tree, ensure_ascii=random.random() < 0.9)
    text = re.sub(r'"deep(\d+)"', lambda found: "[" * int(found[1]) + "]" * int(found[1]), text)
    match random.randrange(40):
        case 0:
            text = text.replace('":', '":0,"x":', 1)
        case 1:
            text = "\ufeff" + text
        case 2:
            text = text.replace("{", '{"host":1,', 1)
        case 3:
            text += " " * 100
    return text.encode(errors="surrogatepass")
