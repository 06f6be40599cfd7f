"""Replays the conformance suite: tests/conformance/README.md of the repository."""

import json
import os
import pathlib

import pytest

import vug

SUITE = pathlib.Path(
    os.environ.get("VUG_CONFORMANCE", pathlib.Path(__file__).parents[3] / "tests/conformance")
)


def cases():
    for path in sorted(SUITE.glob("*.jsonl")):
        steps, name = [], None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            step = json.loads(line)
            if "case" in step:
                if name is not None:
                    yield pytest.param(path.stem, steps, id=f"{path.stem}: {name}")
                steps, name = [], step["case"]
            else:
                assert ("result" in step) != ("error" in step), f"{path}:{number}"
                steps.append((number, step))
        yield pytest.param(path.stem, steps, id=f"{path.stem}: {name}")


def raw(value):
    """Bytes of the suite."""
    if isinstance(value, str):
        return value.encode()
    return bytes.fromhex(value["hex"]) * value.get("times", 1)


def show(data):
    """Bytes as results show them."""
    if data is None:
        return None
    if all(0x20 <= byte <= 0x7E for byte in data):
        return data.decode()
    return {"hex": data.hex()}


def canonical(result):
    if isinstance(result, dict):
        if "hex" in result:
            return show(raw(result))
        return {name: canonical(value) for name, value in result.items()}
    if isinstance(result, list):
        return [canonical(part) for part in result]
    return result


def expiry(value):
    return value and (value["ms"] / 1000, value["action"])


def attributes(step):
    given = dict(step.get("attributes", {}))
    for name in ("entry_ttl", "entry_idle"):
        if name in given:
            given[name] = expiry(given[name])
    return given


def kind(token):
    return token and token.kind


def event(told):
    shown = {"kind": told.kind}
    if told.key is not None:
        shown |= {"key": show(told.key), "value": show(told.value)}
    if told.old_known:
        shown["old"] = show(told.old)
    if told.bulk:
        shown["bulk"] = True
    if told.expired:
        shown["expired"] = True
    return shown


class Session:
    def __init__(self, home):
        self.node = vug.open(home)
        self.regions, self.subscriptions, self.tokens = {}, {}, {}

    def run(self, step):
        self.saved = None
        try:
            result = getattr(self, step["op"])(step)
        except vug.Error as error:
            return {"error": error.code}
        if "save" in step and self.saved is not None:
            self.tokens[step["save"]] = self.saved
        return {"result": result}

    def region(self, step):
        return self.regions[step.get("region", "r")]

    def key(self, step):
        return raw(step["key"])

    def options(self, step):
        return {"ttl": step["ttl_ms"] / 1000} if "ttl_ms" in step else {}

    def outcome(self, outcome):
        self.saved = outcome.token
        return {"created": outcome.created}

    def perhaps(self, outcome):
        self.saved = outcome and outcome.token
        return outcome is not None

    def attempt(self, attempt):
        self.saved = attempt.token
        if attempt:
            return {"done": True}
        return {"done": False, "found": kind(attempt.token)}

    # Of the node.

    def create_region(self, step):
        name = step.get("region", "r")
        self.regions[name] = self.node.create(name, **attributes(step))

    def open_region(self, step):
        name = step.get("region", "r")
        self.regions[name] = self.node.open(name, **attributes(step))

    def open_or_create_region(self, step):
        name = step.get("region", "r")
        self.regions[name] = self.node.region(name, **attributes(step))

    def remove_region(self, step):
        self.node.remove_region(step.get("region", "r"))

    def regions_(self, step):
        assert list(self.node) == self.node.regions()
        return self.node.regions()

    # Of regions.

    def attributes(self, step):
        found = self.region(step).attributes()
        for name in ("entry_ttl", "entry_idle"):
            if found[name] is not None:
                time, action = found[name]
                found[name] = {"ms": round(time * 1000), "action": action}
        return found

    def set_entry_ttl(self, step):
        self.region(step).set_entry_ttl(expiry(step["expiry"]))

    def set_entry_idle(self, step):
        self.region(step).set_entry_idle(expiry(step["expiry"]))

    def set_max_entries(self, step):
        self.region(step).set_max_entries(step["entries"])

    def sweep(self, step):
        return self.region(step).sweep()

    def len(self, step):
        return len(self.region(step))

    def keys(self, step):
        return [show(key) for key in sorted(set(self.region(step).all_keys()))]

    def entries(self, step):
        region = self.region(step)
        items = sorted(set(region.items()))
        assert items == sorted(zip(region.keys(), region.values()))
        return [[show(key), show(value)] for key, value in items]

    # Of one entry.

    def get(self, step):
        region, key = self.region(step), self.key(step)
        value = region.get(key)
        view = region.view(key)
        assert value == (None if view is None else bytes(memoryview(view)))
        assert value == region.handle(key).get()
        assert [value] == region.get_many([key])
        assert (value is not None) == (key in region)
        if value is not None:
            assert value == region[key]
        return show(value)

    def until_absent(self, step):
        while self.region(step).get(self.key(step)) is not None:
            pass

    def contains_key(self, step):
        return self.region(step).contains_key(self.key(step))

    def contains_value_for_key(self, step):
        return self.region(step).contains_value_for_key(self.key(step))

    def token(self, step):
        self.saved = self.region(step).token(self.key(step))
        return kind(self.saved)

    def entry(self, step):
        entry = self.region(step).entry(self.key(step))
        return entry and {
            "kind": entry.token.kind,
            "value": show(entry.value),
            "expires": entry.expires is not None,
        }

    def put(self, step):
        value = raw(step["value"])
        return self.outcome(self.region(step).put(self.key(step), value, **self.options(step)))

    def create(self, step):
        return self.outcome(self.region(step).create(self.key(step), raw(step["value"])))

    def create_invalid(self, step):
        return self.outcome(self.region(step).create_invalid(self.key(step)))

    def destroy(self, step):
        return self.outcome(self.region(step).destroy(self.key(step)))

    def local_destroy(self, step):
        return self.outcome(self.region(step).local_destroy(self.key(step)))

    def replace(self, step):
        return self.perhaps(self.region(step).replace(self.key(step), raw(step["value"])))

    def remove(self, step):
        return self.perhaps(self.region(step).remove(self.key(step)))

    def invalidate(self, step):
        return self.perhaps(self.region(step).invalidate(self.key(step)))

    def local_invalidate(self, step):
        return self.perhaps(self.region(step).local_invalidate(self.key(step)))

    def swap_value(self, step):
        outcome, old = self.region(step).swap_value(self.key(step), raw(step["value"]))
        return {**self.outcome(outcome), "old": show(old)}

    def put_if_absent(self, step):
        value = raw(step["value"])
        attempt = self.region(step).put_if_absent(self.key(step), value, **self.options(step))
        self.saved = attempt.token
        return {"created": True} if attempt else {"created": False, "value": show(attempt.value)}

    def compare_and_swap(self, step):
        expected = self.tokens[step["token"]]
        value = raw(step["value"])
        return self.attempt(self.region(step).compare_and_swap(self.key(step), expected, value))

    def remove_if(self, step):
        return self.attempt(
            self.region(step).remove_if(self.key(step), self.tokens[step["token"]])
        )

    def replace_if(self, step):
        expected, value = raw(step["expected"]), raw(step["value"])
        return self.attempt(self.region(step).replace_if(self.key(step), expected, value))

    def remove_if_value(self, step):
        expected = raw(step["expected"])
        return self.attempt(self.region(step).remove_if_value(self.key(step), expected))

    def increment(self, step):
        return self.region(step).increment(self.key(step), step["delta"], **self.options(step))

    # Of many.

    def get_all(self, step):
        keys = [raw(key) for key in step["keys"]]
        values = self.region(step).get_many(keys)
        assert values == list(self.region(step).gather(keys))
        return [show(value) for value in values]

    def results(self, run, one):
        try:
            results = run()
        except vug.BulkFailed as error:
            results = error.results
        return [
            {"error": found.code} if isinstance(found, vug.Error) else one(found)
            for found in results
        ]

    def put_all(self, step):
        entries = [(raw(key), raw(value)) for key, value in step["entries"]]
        region, options = self.region(step), self.options(step)
        return self.results(lambda: region.put_all(entries, **options), self.outcome)

    def remove_all(self, step):
        keys = [raw(key) for key in step["keys"]]
        return self.results(lambda: self.region(step).remove_all(keys), self.perhaps)

    # Changes.

    def subscribe(self, step):
        options = {name: step[name] for name in ("content", "resynchronise") if name in step}
        if "prefix" in step:
            options["prefix"] = raw(step["prefix"])
        self.subscriptions[step["as"]] = self.region(step).subscribe(**options)

    def events(self, step):
        subscription = self.subscriptions[step["of"]]
        told = []
        while (found := subscription.poll()) is not None:
            told.append(event(found))
        return told

    def wait_for_change(self, step):
        since = self.tokens[step["since"]] if "since" in step else None
        try:
            self.saved = self.region(step).wait(self.key(step), since, timeout=0)
        except TimeoutError:
            return "timeout"
        return {"changed": kind(self.saved)}


def simple(name):
    def run(self, step):
        getattr(self.region(step), name)()

    return run


for name in (
    "close destroy_region local_destroy_region clear local_clear invalidate_region "
    "local_invalidate_region"
).split():
    setattr(Session, name, simple(name))


@pytest.mark.parametrize(("file", "steps"), list(cases()))
def test_case(home, file, steps):
    session = Session(home)
    for number, step in steps:
        if step["op"] == "regions":
            step = {**step, "op": "regions_"}
        given = session.run(step)
        wanted = {"error": step["error"]} if "error" in step else {"result": step["result"]}
        assert given == canonical(wanted), f"{file}.jsonl:{number}: {step}"


def test_a_wrong_result_is_found(home):
    session = Session(home)
    session.run({"op": "create_region"})
    given = session.run({"op": "put", "key": "a", "value": "1"})
    assert given != {"result": {"created": False}}
