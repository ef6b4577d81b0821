"""The syntax of subscribed expressions: RE2's, read into a tree.

What counts is only which topic names match as a whole. So characters that no name may have are
left out of every set, and what differs only in what is captured, or how much is taken first, means
the same. Backreferences and looking around are no part of RE2 and refused.
"""

from __future__ import annotations

import string
import unicodedata
from enum import Enum
from typing import Final

from msgspec import Struct

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import TOPIC_PATTERN_DEPTH_MAX, TOPIC_PATTERN_LENGTH_MAX

ALPHABET: Final = frozenset(string.ascii_letters + string.digits + "._-")
"""The characters of topic names."""
WORD: Final = ALPHABET - {".", "-"}
REPEAT_MAX: Final = 1000
"""The largest count in braces, as in RE2."""

Chars = frozenset[str]
"""A node: one character of a set."""


class Edge(Enum):
    """A node: a place between characters."""

    BEGIN = "begin"
    END = "end"
    WORD = "between a word's character and another"
    INSIDE = "between two of a kind"


class Sequence(Struct, frozen=True):
    """One after the other; without parts, nothing."""

    parts: tuple[Node, ...] = ()


class Choice(Struct, frozen=True):
    """Any of these."""

    options: tuple[Node, ...]


class Repeat(Struct, frozen=True):
    """The same several times; `most` None is any number."""

    node: Node
    least: int
    most: int | None


Node = Chars | Edge | Sequence | Choice | Repeat

_PERL: Final = {
    "d": frozenset(string.digits),
    "s": frozenset(" \t\n\f\r"),
    "w": WORD,
}
_POSIX: Final = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "ascii": "".join(ALPHABET),
    "blank": "",
    "cntrl": "",
    "digit": string.digits,
    "graph": "".join(ALPHABET),
    "lower": string.ascii_lowercase,
    "print": "".join(ALPHABET),
    "punct": "._-",
    "space": "",
    "upper": string.ascii_uppercase,
    "word": "".join(WORD),
    "xdigit": string.hexdigits,
}
_SCRIPTS_OF_NO_NAME: Final = (
    "Arabic",
    "Armenian",
    "Bengali",
    "Cyrillic",
    "Devanagari",
    "Georgian",
    "Greek",
    "Han",
    "Hangul",
    "Hebrew",
    "Hiragana",
    "Katakana",
    "Tamil",
    "Thai",
)
_SCRIPTS: Final = {
    "Any": ALPHABET,
    "Latin": frozenset(string.ascii_letters),
    "Common": ALPHABET - set(string.ascii_letters),
    **dict.fromkeys(_SCRIPTS_OF_NO_NAME, frozenset[str]()),
}
_CATEGORIES: Final = frozenset(
    [
        "C",
        "Cc",
        "Cf",
        "Co",
        "Cs",
        "L",
        "Ll",
        "Lm",
        "Lo",
        "Lt",
        "Lu",
        "M",
        "Mc",
        "Me",
        "Mn",
        "N",
        "Nd",
        "Nl",
        "No",
        "P",
        "Pc",
        "Pd",
        "Pe",
        "Pf",
        "Pi",
        "Po",
        "Ps",
        "S",
        "Sc",
        "Sk",
        "Sm",
        "So",
        "Z",
        "Zl",
        "Zp",
        "Zs",
    ]
)
_CONTROLS: Final = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_EDGES: Final = {"A": Edge.BEGIN, "z": Edge.END, "b": Edge.WORD, "B": Edge.INSIDE}
_OCTAL: Final = "01234567"
_FLAGS: Final = "imsU"
_GROUP_STARTS: Final = ("?P<", "?<")


def invalid_expression(text: str, why: str) -> ProtocolError:
    """What a member is told whose expression cannot be used."""
    return ProtocolError(
        ErrorCode.INVALID_REGULAR_EXPRESSION, f"the regular expression {text!r} {why}"
    )


def parse_pattern(text: str) -> Node:
    """Raises ProtocolError(INVALID_REGULAR_EXPRESSION)."""
    if len(text) > TOPIC_PATTERN_LENGTH_MAX:
        raise invalid_expression(
            text[:50] + "…", f"is longer than {TOPIC_PATTERN_LENGTH_MAX} characters"
        )
    return _Parser(text).whole()


def _folded(chars: Chars) -> Chars:
    """Without regard to case."""
    return frozenset(same for char in chars for same in (char.lower(), char.upper()))


class _Parser:
    """Goes through the text once, from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.depth = 0
        self.ignores_case = False

    def whole(self) -> Node:
        node = self._choice()
        if self.place < len(self.text):
            raise self._refuse("has a ) without its (")
        return node

    # -- going forward ---------------------------------------------------------------------------

    def _refuse(self, why: str) -> ProtocolError:
        return invalid_expression(self.text, why)

    @property
    def _next(self) -> str:
        """The character here; "" at the end."""
        return self.text[self.place : self.place + 1]

    def _skip(self, expected: str) -> bool:
        """Go past this text, if it stands here."""
        if self.text.startswith(expected, self.place):
            self.place += len(expected)
            return True
        return False

    def _take(self, what: str) -> str:
        """The character here, which must be one."""
        char = self._next
        if not char:
            raise self._refuse(f"ends within {what}")
        self.place += 1
        return char

    def _take_until(self, end: str, what: str) -> str:
        found = self.text.find(end, self.place)
        if found < 0:
            raise self._refuse(f"ends within {what}")
        taken = self.text[self.place : found]
        self.place = found + len(end)
        return taken

    # -- choices, sequences, repetition ----------------------------------------------------------

    def _choice(self) -> Node:
        options = [self._sequence()]
        while self._skip("|"):
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._next not in ("", "|", ")"):
            if self._skip(r"\Q"):
                parts += self._quoted()
            elif (atom := self._atom()) is not None:
                parts.append(self._repeated(atom))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _quoted(self) -> list[Node]:
        """Literal text up to `\\E` or the end; a repetition counts for its last character."""
        found = self.text.find(r"\E", self.place)
        end = len(self.text) if found < 0 else found
        nodes: list[Node] = [self._literal(char) for char in self.text[self.place : end]]
        self.place = end if found < 0 else end + 2
        if nodes:
            nodes[-1] = self._repeated(nodes[-1])
        return nodes

    def _repeated(self, node: Node) -> Node:
        counts = self._counts()
        if counts is None:
            return node
        self._skip("?")
        if self._counts() is not None:
            raise self._refuse("repeats a repetition")
        return Repeat(node, *counts)

    def _counts(self) -> tuple[int, int | None] | None:
        """The repetition that stands here; a brace that is none is a character of its own."""
        if self._skip("*"):
            return 0, None
        if self._skip("+"):
            return 1, None
        if self._skip("?"):
            return 0, 1
        return self._braces() if self._next == "{" else None

    def _braces(self) -> tuple[int, int | None] | None:
        end = self.text.find("}", self.place)
        least, comma, most = self.text[self.place + 1 : max(end, self.place)].partition(",")
        if not _is_count(least) or not (most == "" or _is_count(most)):
            return None
        low = int(least)
        high = (int(most) if most else None) if comma else low
        if low > REPEAT_MAX or (high is not None and not low <= high <= REPEAT_MAX):
            raise self._refuse(f"repeats {{{least}{comma}{most}}} times; at most {REPEAT_MAX}")
        self.place = end + 1
        return low, high

    # -- atoms -----------------------------------------------------------------------------------

    def _atom(self) -> Node | None:
        """One thing that can be repeated; None for flags, which are nothing themselves."""
        if self._counts() is not None:
            raise self._refuse("repeats nothing")
        char = self._take("itself")
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == ".":
            return ALPHABET
        if char in "^$":
            return Edge.BEGIN if char == "^" else Edge.END
        return self._escaped() if char == "\\" else self._literal(char)

    def _literal(self, char: str) -> Chars:
        return self._cased(frozenset(char)) & ALPHABET

    def _cased(self, chars: Chars) -> Chars:
        return _folded(chars) if self.ignores_case else chars

    def _group(self) -> Node | None:
        self.depth += 1
        if self.depth > TOPIC_PATTERN_DEPTH_MAX:
            raise self._refuse(f"has more than {TOPIC_PATTERN_DEPTH_MAX} groups in each other")
        outside = self.ignores_case
        if self._next == "?" and not self._group_start():
            self.depth -= 1
            return None
        node = self._choice()
        if not self._skip(")"):
            raise self._refuse("has a ( without its )")
        self.ignores_case = outside
        self.depth -= 1
        return node

    def _group_start(self) -> bool:
        """Go past a name or flags; False where the flags are all there is."""
        for start in _GROUP_STARTS:
            if self.text.startswith(start, self.place) and self._char_at(len(start)) not in (
                "=",
                "!",
            ):
                self.place += len(start)
                name = self._take_until(">", "a group's name")
                if not name or not all(char.isalnum() or char == "_" for char in name):
                    raise self._refuse(f"has a group named {name!r}")
                return True
        self.place += 1
        return self._flags()

    def _char_at(self, distance: int) -> str:
        """A character further on; "" behind the end."""
        return self.text[self.place + distance : self.place + distance + 1]

    def _flags(self) -> bool:
        is_on, has_any, is_dangling = True, False, False
        while True:
            char = self._take("a group's flags")
            if char in ":)" and not is_dangling and (has_any or char == ":"):
                return char == ":"
            if char == "-" and is_on:
                is_on, is_dangling = False, True
            elif char in _FLAGS:
                has_any, is_dangling = True, False
                if char == "i":
                    self.ignores_case = is_on
            else:
                raise self._refuse(f"has (?{char}, which RE2 does not know")

    # -- escapes ---------------------------------------------------------------------------------

    def _escaped(self) -> Node:
        edge = _EDGES.get(self._next)
        if edge is not None:
            self.place += 1
            return edge
        chars = self._escaped_set()
        return self._literal(self._escaped_char()) if chars is None else chars

    def _escaped_set(self) -> Chars | None:
        """Behind a backslash: a class of characters, if it is one."""
        char = self._next
        if char and char in "dDsSwW":
            self.place += 1
            chars = _PERL[char.lower()] & ALPHABET
            return chars if char.islower() else ALPHABET - chars
        if char and char in "pP":
            self.place += 1
            return self._property(is_negated=char == "P")
        return None

    def _property(self, *, is_negated: bool) -> Chars:
        name = self._take("a Unicode class")
        if name == "{":
            name = self._take_until("}", "a Unicode class")
        if name.startswith("^"):
            name, is_negated = name[1:], not is_negated
        if name in _CATEGORIES:
            chars = frozenset(c for c in ALPHABET if unicodedata.category(c).startswith(name))
        elif name in _SCRIPTS:
            chars = _SCRIPTS[name]
        else:
            raise self._refuse(f"has the Unicode class {name!r}, which is not known")
        chars = self._cased(chars)
        return ALPHABET - chars if is_negated else chars

    def _escaped_char(self) -> str:
        """Behind a backslash: one character."""
        char = self._take("an escape")
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char == "x":
            return self._hexadecimal()
        if char == "0" or (char in _OCTAL and self._next and self._next in _OCTAL):
            return self._octal(char)
        if char.isascii() and not char.isalnum():
            return char
        raise self._refuse(f"has \\{char}, which RE2 does not know")

    def _hexadecimal(self) -> str:
        digits = (
            self._take_until("}", "a hexadecimal escape")
            if self._skip("{")
            else self._take("a hexadecimal escape") + self._take("a hexadecimal escape")
        )
        if not digits or not set(digits) <= set(string.hexdigits) or int(digits, 16) > 0x10FFFF:
            raise self._refuse(f"has the hexadecimal escape {digits!r}")
        return chr(int(digits, 16))

    def _octal(self, digits: str) -> str:
        while len(digits) < 3 and self._next and self._next in _OCTAL:
            digits += self._take("an octal escape")
        return chr(int(digits, 8))

    # -- classes ---------------------------------------------------------------------------------

    def _class(self) -> Chars:
        is_negated = self._skip("^")
        chars: set[str] = set()
        is_first = True
        while is_first or self._next != "]":
            is_first = False
            chars |= self._class_item()
        self.place += 1
        known = self._cased(frozenset(chars)) & ALPHABET
        return ALPHABET - known if is_negated else known

    def _class_item(self) -> Chars:
        if self._skip("[:"):
            return self._posix()
        if self._next == "\\" and self._char_at(1) in tuple("dDsSwWpP"):
            self.place += 1
            chars = self._escaped_set()
            assert chars is not None
            return chars
        low = self._class_char()
        if self._next != "-" or self._char_at(1) in ("]", ""):
            return frozenset(low)
        self.place += 1
        high = self._class_char()
        if high < low:
            raise self._refuse(f"has the range {low}-{high}, which is empty")
        return frozenset(char for char in ALPHABET if low <= char <= high)

    def _class_char(self) -> str:
        char = self._take("a class of characters")
        return self._escaped_char() if char == "\\" else char

    def _posix(self) -> Chars:
        name = self._take_until(":]", "a class of characters")
        chars = _POSIX.get(name.removeprefix("^"))
        if chars is None:
            raise self._refuse(f"has the class [:{name}:], which is not known")
        found = frozenset(chars) & ALPHABET
        return ALPHABET - found if name.startswith("^") else found


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9
