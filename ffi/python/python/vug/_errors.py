"""The exceptions: a class for each error of the library, below one for each range of codes."""

import builtins


class Error(Exception):
    """Something went wrong: what and where is its text, what to do about it is `help`.

    `code` is the number that the library in Rust, the C interface and the command line use, too.
    """

    code: int = 0

    def __init__(self, message: str, help: str = "", code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} (VUG-{self.code:04})"

    def __reduce__(self):
        return (type(self), (self.message, self.help, self.code), self.__dict__)


class FileError(Error):
    """1xx: a file that cannot be used."""


class UseError(Error, ValueError):
    """2xx: a call that cannot be right."""


class ResourceError(Error):
    """3xx: something is used up."""


class EntryError(Error):
    """4xx: the entry, or the region, is not as the operation needs it."""


class ProcessError(Error):
    """5xx: the wrong process."""


class SystemCallError(Error, OSError):
    """6xx: the system said no."""


_RANGES = {
    1: FileError,
    2: UseError,
    3: ResourceError,
    4: EntryError,
    5: ProcessError,
    6: SystemCallError,
}

# Code, name, and what of Python's own such an error also is.
_LEAVES = [
    (101, "NotAVugFile", ()),
    (102, "OtherEndianness", ()),
    (103, "UnsupportedFormat", ()),
    (104, "Truncated", ()),
    (105, "DamagedHeader", ()),
    (106, "ForeignOwner", ()),
    (107, "OtherBoot", ()),
    (108, "NotMemoryBacked", ()),
    (109, "UnknownFeatures", ()),
    (110, "Damaged", ()),
    (111, "OtherNode", ()),
    (112, "OriginTaken", ()),
    (201, "InvalidRegionName", ()),
    (202, "InvalidKey", ()),
    (203, "ValueTooLarge", ()),
    (204, "InvalidAttributes", ()),
    (205, "RegionExists", ()),
    (206, "RegionNotFound", (LookupError,)),
    (207, "AttributesDiffer", ()),
    (208, "NotBuiltYet", ()),
    (209, "SchemaMismatch", ()),
    (301, "OutOfSpace", ()),
    (302, "FileSystemFull", ()),
    (303, "TooManyMembers", ()),
    (304, "TooManyThreads", ()),
    (305, "TooManyPins", ()),
    (401, "EntryExists", ()),
    (402, "EntryNotFound", (KeyError,)),
    (403, "NotAllowed", ()),
    (404, "AckTimeout", (TimeoutError,)),
    (405, "NotACounter", ()),
    (406, "CounterOverflow", (OverflowError,)),
    (407, "NotOfType", ()),
    (408, "Codec", ()),
    (409, "RegionDestroyed", ()),
    (410, "RegionClosed", ()),
    (411, "BulkFailed", ()),
    (440, "SearchTimeout", (TimeoutError,)),
    (501, "ForkedChild", ()),
    (502, "BridgeRuns", ()),
    (540, "NoBridge", ()),
    (601, "Io", ()),
    (602, "System", ()),
]

_BY_CODE: dict[int, type[Error]] = {}
for _code, _name, _also in _LEAVES:
    _members = {"code": _code, "__module__": "vug", "__doc__": f"VUG-{_code:04}."}
    _class = builtins.type(_name, (_RANGES[_code // 100], *_also), _members)
    globals()[_name] = _BY_CODE[_code] = _class

for _class in (Error, *_RANGES.values()):
    _class.__module__ = "vug"

__all__ = ["Error", *(_range.__name__ for _range in _RANGES.values())]
__all__ += [_name for _, _name, _ in _LEAVES]


def from_code(code: int, message: str, help: str) -> Error:
    """The exception of an error of the library; of its range if this list does not know it."""
    kind = _BY_CODE.get(code) or _RANGES.get(code // 100, Error)
    return kind(message, help, code)
