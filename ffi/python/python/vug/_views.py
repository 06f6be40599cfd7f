"""Views of a region as a mapping: live, and iterated without blocking writers."""

from collections.abc import ItemsView as _ItemsView
from collections.abc import KeysView as _KeysView
from collections.abc import ValuesView as _ValuesView


class KeysView(_KeysView):
    """Keys that have a value."""

    def __iter__(self):
        return iter(self._mapping)


class ValuesView(_ValuesView):
    """Values."""

    def __iter__(self):
        return self._mapping.iter_values()

    def __contains__(self, value):
        return any(found == value for found in self)


class ItemsView(_ItemsView):
    """Pairs of key and value."""

    def __iter__(self):
        return self._mapping.iter_items()

    def __contains__(self, item):
        key, value = item
        return self._mapping.get(key) == value
