"""Java's arithmetic, as far as ElasticJob's strategies lean on it."""

from __future__ import annotations

from array import array

_BITS = 32
_MODULUS = 1 << _BITS
_HALF = 1 << (_BITS - 1)


def string_hash(text: str) -> int:
    """``String.hashCode()``: s[0]*31^(n-1) + ... + s[n-1] over UTF-16 code units, as a signed 32-bit number."""
    found = 0
    units = array("H", text.encode("utf-16-le", "surrogatepass"))
    if array("H", b"\x01\x00")[0] != 1:
        units.byteswap()
    for unit in units:
        found = (31 * found + unit) % _MODULUS
    return found - _MODULUS if found >= _HALF else found


def absolute(number: int) -> int:
    """``Math.abs(int)``: the most negative number has no positive twin and stays as it is."""
    return number if number == -_HALF else abs(number)
