#!/usr/bin/env python3
"""A quote board over the C interface alone: `ctypes_board.py LIBRARY HOME`.

LIBRARY is libvug.so or libvug_ffi.so (`cargo build --release -p vug-ffi`). Prints what it wrote.
"""

import ctypes
import struct
import sys
from ctypes import POINTER, byref, c_char_p, c_size_t, c_uint16, c_uint64, c_uint8, c_void_p


class Token(ctypes.Structure):
    _fields_ = [("version", c_uint64), ("origin", c_uint16), ("rest", c_uint8 * 6)]


class View(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("len", c_size_t), ("token", Token), ("pin", c_void_p)]


vug = ctypes.CDLL(sys.argv[1])
vug.vug_node_open.argtypes = [c_char_p, POINTER(c_void_p)]
vug.vug_region_open_or_create.argtypes = [c_void_p, c_char_p, c_void_p, POINTER(c_void_p)]
vug.vug_put.argtypes = [c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, POINTER(Token)]
vug.vug_get.argtypes = [c_void_p, c_char_p, c_size_t, POINTER(View)]
vug.vug_region_close.argtypes = vug.vug_node_close.argtypes = [c_void_p]


def check(status):
    """Raises what vug_last_error says: the fact and the remedy."""
    if status < 0:
        text = ctypes.create_string_buffer(1024)
        vug.vug_last_error(text, c_size_t(len(text)), byref(c_size_t()))
        sys.exit(text.value.decode())
    return status


node, region, view = c_void_p(), c_void_p(), View()
check(vug.vug_node_open(sys.argv[2].encode(), byref(node)))
check(vug.vug_region_open_or_create(node, b"quotes", None, byref(region)))
for symbol, bid in [(b"ACME", 17.5), (b"GEODE", 9.5), (b"VUG", 3.5)]:
    quote = struct.pack("<ddQ", bid, bid + 1, 1)
    check(vug.vug_put(region, symbol, len(symbol), quote, len(quote), None))
    if check(vug.vug_get(region, symbol, len(symbol), byref(view))) == 0:
        in_place = (ctypes.c_double * 2).from_address(view.data)  # no copy
        print(f"{symbol.decode():<6}{in_place[0]:>8.2f}{in_place[1]:>8.2f}")
        vug.vug_view_release(byref(view))
check(vug.vug_region_close(region))
check(vug.vug_node_close(node))
