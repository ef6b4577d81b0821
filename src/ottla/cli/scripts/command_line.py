"""Command lines as the tools of Apache Kafka read them, which is by the rules of jopt-simple.

`--name value`, `--name=value`, `-name value`; an option may come several times and anywhere; what
is no option is left over; `--` ends the options. A value may look like an option.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple, NoReturn

from ottla.base.errors import UserError
from ottla.cli.scripts.usage import Line, usage_text

_INTEGER_BITS: Final = 31
_LONG_BITS: Final = 63

Value = str | int | float


class UsageError(UserError):
    """A command line that makes no sense; `usage` says which would, where the tool tells it."""

    def __init__(self, message: str, usage: str | None = None) -> None:
        super().__init__(message)
        self.usage = usage


class VersionAsked(UserError):  # noqa: N818 - it is no error: it ends the reading of arguments
    """Somebody asked which version this is."""


class Kind(Enum):
    """What a value is, by the name that help texts give it."""

    STRING = "String"
    INTEGER = "Integer"
    LONG = "Long"
    DOUBLE = "Double"

    def read(self, text: str) -> Value:
        """Raises ValueError for what is none of this kind."""
        if self is Kind.STRING:
            return text
        if self is Kind.DOUBLE:
            return float(text)
        bits = _INTEGER_BITS if self is Kind.INTEGER else _LONG_BITS
        if not text.removeprefix("-").removeprefix("+").isdecimal():
            raise ValueError(text)
        number = int(text)
        if not -(1 << bits) <= number < 1 << bits:
            raise ValueError(text)
        return number


class Option(NamedTuple):
    """One option of a tool; without `argument` it is a flag."""

    names: tuple[str, ...]
    help: str
    argument: str | None = None
    kind: Kind = Kind.STRING
    default: Value | None = None
    may_lack: bool = False
    """Whether its value may be left out."""
    separator: str | None = None
    """Between several values that are given at once."""

    @property
    def name(self) -> str:
        return self.names[0]

    def line(self) -> Line:
        """What its help says."""
        dashed = ", ".join(("--" if len(name) > 1 else "-") + name for name in self.names)
        told = self.help if self.default is None else f"{self.help} (default: {self.default})"
        if self.argument is None:
            return Line(dashed, told)
        shown = f"{self.kind.value}: {self.argument}"
        return Line(f"{dashed} [{shown}]" if self.may_lack else f"{dashed} <{shown}>", told)

    def may_take(self, word: str) -> bool:
        """Whether it is the value of one that may be left out: a number may be below 0."""
        if not word.startswith("-"):
            return True
        try:
            return self.kind is not Kind.STRING and self.kind.read(word) is not None
        except ValueError:
            return False

    def read(self, text: str) -> list[Value]:
        """Raises UsageError."""
        texts = text.split(self.separator) if self.separator else [text]
        try:
            return [self.kind.read(text) for text in texts]
        except ValueError as error:
            said = f"Cannot parse argument '{text}' of option {self.name}"
            raise UsageError(said) from error


class Options:
    """What was given, by the first name of each option."""

    def __init__(self, parser: ScriptParser) -> None:
        self._parser = parser
        self._values: dict[str, list[Value]] = {}
        self.order: list[str] = []
        """Which options were given, one after the other."""
        self.rest: list[str] = []
        """What is no option."""

    def add(self, option: Option, text: str | None) -> None:
        """It came once more."""
        self.order.append(option.name)
        self._values.setdefault(option.name, []).extend([] if text is None else option.read(text))

    def has(self, name: str) -> bool:
        """Whether it was given, with a value or without."""
        assert name in self._parser
        return name in self._values

    def values(self, name: str) -> list[Value]:
        """All of its values, in their order; else its default."""
        option = self._parser[name]
        if name in self._values or option.default is None:
            return self._values.get(name, [])
        return [option.default]

    def value(self, name: str) -> Value | None:
        """Its one value. Raises UsageError where it has several."""
        values = self.values(name)
        if len(values) > 1:
            said = f"Found multiple arguments for option {name}, but you asked for only one"
            raise UsageError(said)
        return values[0] if values else None

    def text(self, name: str) -> str | None:
        """Its one value, of a string; None without one."""
        value = self.value(name)
        assert value is None or isinstance(value, str)
        return value

    def texts(self, name: str) -> list[str]:
        """Its values, of strings."""
        return [str(value) for value in self.values(name)]

    def integer(self, name: str) -> int | None:
        """Its one value, of an integer or a long."""
        value = self.value(name)
        assert value is None or isinstance(value, int)
        return value

    def needed_text(self, name: str) -> str:
        """Its one value, which has been required or has a default."""
        value = self.text(name)
        assert value is not None
        return value

    def needed_integer(self, name: str) -> int:
        """Its one value, which has been required or has a default."""
        value = self.integer(name)
        assert value is not None
        return value

    # -- rules -----------------------------------------------------------------------------------

    def refuse(self, message: str) -> NoReturn:
        """Raises UsageError with the usage, as Kafka's tools do where they know better."""
        raise UsageError(message, self._parser.usage())

    def require(self, *names: str) -> None:
        """Raises UsageError for the first that is missing."""
        for name in names:
            if not self.has(name):
                self.refuse(f'Missing required argument "[{self._shown(name)}]"')

    def forbid_beside(self, name: str, *others: str) -> None:
        """Raises UsageError where one of the others was given beside it."""
        for other in others:
            if self.has(name) and self.has(other):
                self.refuse(
                    f'Option "[{self._shown(name)}]" can\'t be used with option '
                    f'"[{self._shown(other)}]"'
                )

    def _shown(self, name: str) -> str:
        return ", ".join(self._parser[name].names)


class ScriptParser:
    """The options of one tool.

    `abbreviations`: whether names may be shortened while it is clear which is meant; most tools
    of Kafka do not allow it. `tells_usage`: whether a command line that cannot be read is answered
    with the usage. `--help` and `--version` are always there.
    """

    def __init__(
        self, purpose: str, *, abbreviations: bool = False, tells_usage: bool = True
    ) -> None:
        self._purpose = purpose
        self._abbreviations = abbreviations
        self._tells_usage = tells_usage
        self._by_name: dict[str, Option] = {}
        self.flag("help", help="Show this.")
        self.flag("version", help="Show which version this is.")

    def flag(self, *names: str, help: str) -> None:  # noqa: A002 - as in argparse
        """An option without a value, by one name or several."""
        self._add(Option(names, help))

    def value(
        self,
        *names: str,
        help: str,  # noqa: A002 - as in argparse
        argument: str = "",
        kind: Kind = Kind.STRING,
        default: Value | None = None,
        may_lack: bool = False,
        separator: str | None = None,
    ) -> None:
        """An option with a value, by one name or several; `argument` is how help calls the value.

        `has` is not true of a default.
        """
        self._add(
            Option(names, help, argument or names[0], kind, default, may_lack, separator),
        )

    def _add(self, option: Option) -> None:
        for name in option.names:
            self._by_name[name] = option

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Option:
        return self._by_name[name]

    def usage(self) -> str:
        """All options, for people."""
        options = {option.name: option for option in self._by_name.values()}
        return usage_text(options[name].line() for name in sorted(options))

    # -- reading ---------------------------------------------------------------------------------

    def parse(self, arguments: Sequence[str]) -> Options:
        """Raises UsageError; also for `--help`, as Kafka's tools fail then. VersionAsked."""
        try:
            options = self._read(list(arguments))
        except UsageError as error:
            raise UsageError(str(error), self.usage() if self._tells_usage else None) from None
        if options.has("help") or not arguments:
            raise UsageError(self._purpose, self.usage())
        if options.has("version"):
            raise VersionAsked
        return options

    def _read(self, words: list[str]) -> Options:
        options = Options(self)
        words.reverse()
        while words:
            word = words.pop()
            if word == "--":
                options.rest += reversed(words)
                break
            if word.startswith("-") and word != "-":
                self._read_option(word, words, options)
            else:
                options.rest.append(word)
        return options

    def _read_option(self, word: str, words: list[str], options: Options) -> None:
        name, equals, text = word.lstrip("-").partition("=")
        if not word.startswith("--") and name not in self._by_name:
            return self._read_cluster(word[1:], words, options)
        option = self._find(name)
        if option.argument is None:
            return options.add(option, None)
        if equals:
            return options.add(option, text)
        return options.add(option, self._value_of(option, words))

    def _value_of(self, option: Option, words: list[str]) -> str | None:
        if option.may_lack:
            return words.pop() if words and option.may_take(words[-1]) else None
        if not words:
            raise UsageError(f"Option {option.name} requires an argument")
        return words.pop()

    def _read_cluster(self, letters: str, words: list[str], options: Options) -> None:
        """`-abVALUE`: flags of one letter each, then perhaps one with its value."""
        for at, letter in enumerate(letters):
            option = self._by_name.get(letter)
            if option is None:
                raise UsageError(f"{letter} is not a recognized option")
            if option.argument is not None:
                rest = letters[at + 1 :]
                return options.add(option, rest or self._value_of(option, words))
            options.add(option, None)
        return None

    def _find(self, name: str) -> Option:
        option = self._by_name.get(name)
        if option is None and self._abbreviations:
            found = {o.name: o for n, o in self._by_name.items() if n.startswith(name)}
            option = next(iter(found.values())) if len(found) == 1 else None
        if option is None:
            raise UsageError(f"{name} is not a recognized option")
        return option
