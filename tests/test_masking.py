"""Secrets and redacted values are masked everywhere, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from answers import bounded
from hypothesis import given
from hypothesis import strategies as st

from pytest_dust.cassettes import binding
from pytest_dust.compare.equality import differences
from pytest_dust.masking import LONGEST_SPELLED, MASKED, SHORTEST, Mask, mask
from pytest_dust.model import App, RunRequest

KEY = "sk-0123456789abcdef"
REQUEST = {
    "app": {"workspace": "w", "space": "v", "id": "a"},
    "inputs": [{"user": {"email": "ada@example.org", "name": "Ada"}}, {"user": {"email": "bob@example.org"}}],
    "config": {"MODEL": {"token": "a-longer-token"}},
}


def redacting(*names: str) -> Mask:
    """Give a mask of redacted names alone."""
    return mask({}, (), names)


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (KEY, "***"),
        (f"Bearer {KEY}!", "Bearer ***!"),
        (f"{KEY}{KEY}", "******"),
        (KEY[:-1], KEY[:-1]),
        (KEY.upper(), KEY.upper()),
        ("", ""),
    ],
)
def test_the_key_is_masked_in_texts(text, shown):
    """The API key is masked anywhere in a text, and no other part of the text."""
    assert mask({"DUST_API_KEY": f" {KEY}\n"}, (), ()).text(text) == shown


def test_variables_that_ini_lists_are_secrets():
    """The values of listed variables are masked like the key; unset or empty ones mask nothing."""
    found = mask(
        {"DUST_API_KEY": KEY, "TEAM_TOKEN": "geheim-12", "EMPTY": " "}, ("TEAM_TOKEN", "EMPTY", "X"), ()
    )
    assert found.text(f"geheim-12 {KEY} x") == "*** *** x"


def test_a_short_secret_is_masked_as_a_whole_text():
    """A secret shorter than SHORTEST is masked only if it is the whole text."""
    short = "a" * (SHORTEST - 1)
    assert Mask((short,)).text(short) == MASKED
    assert Mask((short,)).text(f"b{short}") == f"b{short}"
    assert Mask(("a" * SHORTEST,)).text("b" + "a" * SHORTEST) == "b***"


def test_a_secret_inside_of_another_leaves_no_rest():
    """Of two secrets, one of which begins the other, the longer is masked whole."""
    found = mask({"A": "secret", "B": "secret-and-more"}, ("A", "B"), ())
    assert found.text("x secret-and-more secret") == "x *** ***"


def test_keys_are_masked_too():
    """A secret is masked in the keys of a mapping too."""
    assert Mask((KEY,)).value({KEY: [KEY, {"a": 1}], "b": (KEY,)}) == {"***": ["***", {"a": 1}], "b": ["***"]}


@pytest.mark.parametrize("text", ['a "quoted" key', "back\\slash", "two\nlines", "clé-secrète", "key-😀-end"])
def test_a_secret_of_any_characters_is_masked(text):
    """A secret is masked in a value whatever characters JSON would escape in it."""
    assert Mask((text,)).value({"a": [f"<{text}>"], text: 1}) == {"a": ["<***>"], "***": 1}


def test_a_secret_number_is_masked_in_other_digits():
    """A secret number is masked as a number, even if the answer writes it in another way."""
    assert mask({"PHONE": "+4915112345"}, ("PHONE",), ()).answer({"value": 4915112345}) == {"value": MASKED}


@pytest.mark.parametrize("length", [LONGEST_SPELLED, LONGEST_SPELLED + 1])
def test_a_very_long_secret_is_masked_only_as_it_is(length):
    """A secret of more than LONGEST_SPELLED characters is masked as it is, and not as JSON escapes it."""
    secret = '"' * length
    found = mask({"A": secret}, ("A",), ())
    assert found.text(secret) == MASKED
    assert (found.text(secret.replace('"', '\\"')) == MASKED) == (length <= LONGEST_SPELLED)


def test_a_value_beyond_json_is_masked_too():
    """A secret is masked beside a value that JSON cannot hold, such as the argument of a pytest mark."""
    assert Mask((KEY,)).value({"raises": ValueError, "reason": KEY}) == {
        "raises": ValueError,
        "reason": "***",
    }


def test_a_mask_shows_no_secret():
    """The repr of a mask has the number of secrets, and none of them."""
    found = mask({"DUST_API_KEY": KEY}, (), ("inputs.*.email",))
    assert repr(found) == "<Mask of 1 secrets and 1 patterns>"
    assert KEY not in f"{found} {found!r}"


def test_nothing_to_mask_changes_nothing():
    """Without secrets and patterns, a value is unchanged."""
    assert Mask().value(REQUEST) == REQUEST
    assert mask({}, ("X",), ("", ".")) == Mask()


# ── redacted names ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("email", ["ada@example.org", "bob@example.org"]),
        ("inputs.*.user.email", ["ada@example.org", "bob@example.org"]),
        ("inputs[0].user.email", ["ada@example.org"]),
        ("inputs[*].user.email", ["ada@example.org", "bob@example.org"]),
        ("user.*", ["ada@example.org", "bob@example.org", "Ada"]),
        ("inputs.1", ["bob@example.org"]),
        ("config", ["a-longer-token"]),
        ("*.to?en", ["a-longer-token"]),
        ("Email", []),
        ("inputs.email", []),
    ],
)
def test_a_pattern_masks_what_it_names(name, gone):
    """A dotted name masks each value whose path ends with it; `*` and `?` match in one step."""
    told = json.dumps(redacting(name).value(REQUEST))
    texts = ["ada@example.org", "bob@example.org", "Ada", "a-longer-token"]
    assert [text for text in texts if f'"{text}"' not in told] == [text for text in texts if text in gone]


@pytest.mark.parametrize("value", [12, None, True, [1, 2], {"a": {"b": 1}}, "x"])
def test_a_redacted_value_of_any_type_is_masked_whole(value):
    """A redacted value of any type, a list or a mapping too, is replaced as a whole."""
    assert redacting("a").value({"a": value, "b": 1}) == {"a": MASKED, "b": 1}


@pytest.mark.parametrize("name", ["inputs.*.user.email", "user", "inputs"])
def test_what_is_redacted_in_a_request_is_covered_everywhere(name):
    """A text redacted in the request is masked in all texts of an answer."""
    covering = redacting(name).covering(REQUEST)
    assert covering.text("Dear ada@example.org, and bob@example.org!") == "Dear ***, and ***!"
    assert covering.value({"run": {"said": ["to ada@example.org"]}}) == {"run": {"said": ["to ***"]}}


EMAILS = ["ada@example.org", "bob@example.org"]


@pytest.mark.parametrize(
    ("pattern", "request_", "named"),
    [
        ("to", {"to": EMAILS}, EMAILS),
        ("to", {"to": [EMAILS[:1], [[EMAILS[1]]]]}, EMAILS),
        ("to", {"to": [{"email": EMAILS[0], "cc": EMAILS[1:]}]}, EMAILS),
        ("to", {"to": tuple(EMAILS)}, EMAILS),
        ("to", [{"to": EMAILS[0]}, [{"to": EMAILS[1]}]], EMAILS),
        ("to.1", {"to": EMAILS}, EMAILS[1:]),
        ("to.*", {"to": EMAILS}, EMAILS),
        ("to.0", {"to": [EMAILS, "x"]}, EMAILS),
        ("to.*.email", {"to": [{"email": EMAILS[0]}, {"name": EMAILS[1]}]}, EMAILS[:1]),
        ("to.email", {"to": [{"email": EMAILS[0]}]}, []),
        ("to", {"to": [123456, 1.5, "", None, True, False, 0]}, [123456, 1.5, 0]),
        ("to", {"to": [], "x": EMAILS}, []),
        ("*.to", {"to": EMAILS}, []),
        ("*.to", {"x": {"to": EMAILS}}, EMAILS),
        ("0", {"to": EMAILS}, EMAILS[:1]),
    ],
)
def test_a_pattern_names_all_texts_and_numbers_below_it(pattern, request_, named):
    """A redacted path covers the texts and numbers below it, at any depth of lists and mappings."""
    mask_ = redacting(pattern)
    assert mask_.named(request_) == named
    covering = mask_.covering(request_)
    assert {email for email in EMAILS if covering.text(email) == MASKED} == set(named) & set(EMAILS)
    assert covering.answer({"value": [123456, 1.5, 7]})["value"][2] == 7
    assert (covering.answer({"value": 123456})["value"] == MASKED) == (123456 in named)


def test_a_pattern_without_a_match_names_nothing():
    """Without a pattern, or with one that matches no path, a request has no redacted values."""
    assert redacting("x").named({"to": EMAILS}) == []
    assert Mask().named({"to": EMAILS}) == []
    assert redacting("to").named("to") == []


ORDER = "order-4711-of-2026"


@pytest.mark.parametrize(
    ("inputs", "known"),
    [
        ([{"q": ORDER}], True),
        ([{"q": f"where is {ORDER}?"}], True),
        ([{ORDER: 1}], True),
        ([{f"about {ORDER}": {"q": 1}}], True),
        ([{"q": {ORDER: []}}], True),
        ([{"q": [1, [None, ["a", ORDER]]]}], True),
        ([{"q": ("a", ORDER)}], True),
        ([{"q": [{"r": {"s": [{"t": ORDER}]}}]}], True),
        ([], False),
        ([{"q": ORDER[:-1]}, {"q": ORDER[1:]}], False),
        ([{"q": ORDER.upper()}], False),
        ([{"q": [1, None, True]}], False),
        ([{"headers": {"cookie": f"session={ORDER}"}}], False),
    ],
)
def test_a_text_of_the_request_is_no_secret(inputs, known):
    """What a cookie holds is no secret if the request has the same text outside its own cookies."""
    covering = Mask().covering({"inputs": inputs, "config": {}})
    found = covering.value({"set-cookie": f"session={ORDER}; Path=/", "a": f"{ORDER}!"})
    assert found == {"set-cookie": MASKED, "a": f"{ORDER if known else MASKED}!"}


def test_a_text_of_the_request_s_own_cookie_may_be_a_secret():
    """A text that the request has only in its cookies is masked if a later cookie makes it a secret."""
    covering = Mask().covering({"inputs": [{"headers": {"cookie": "theme=abc123"}}]})
    assert covering.text("abc123") == "abc123"
    assert covering.value({"set-cookie": "session=abc123", "a": "abc123"})["a"] == MASKED


def test_a_short_redacted_text_is_masked_at_its_path_alone():
    """A redacted text shorter than SHORTEST is masked at its path, and in no other text."""
    covering = redacting("name").covering({"name": "Ada", "x": "Adam"})
    assert covering.value({"name": "Ada", "said": "Adam"}) == {"name": "***", "said": "Adam"}


@pytest.mark.parametrize(("number", "shown"), [(42, 42), (99_999, 99_999), (123_456, MASKED)])
def test_a_short_redacted_number_stays_in_a_request(number, shown):
    """In a request, a redacted number shorter than SHORTEST is masked at its path alone."""
    request = {"age": number, "limit": number}
    assert redacting("age").covering(request).value(request) == {"age": MASKED, "limit": shown}


def test_covering_without_patterns_is_the_mask_itself():
    """Without patterns, a request adds nothing to a mask."""
    found = Mask((KEY,))
    assert found.covering(REQUEST) == found


# ── whatever comes ───────────────────────────────────────────────────────────────────────────────

secret_texts = st.text("abc-0é\n", min_size=SHORTEST, max_size=12)
words = st.text("abc-0é*", max_size=5)


@st.composite
def secretive(draw: Any) -> tuple[list[str], Any]:
    """Give some secrets, and a JSON value with them in it."""
    secrets = draw(st.lists(secret_texts, min_size=1, max_size=3, unique=True))
    told = st.sampled_from(secrets)
    texts = words | told | st.builds(lambda *parts: "".join(parts), words, told, words)
    value = st.recursive(
        st.none() | st.integers() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    )
    return secrets, draw(value)


def all_texts(value: Any) -> list[str]:
    """Give every text and key in a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, each in value.items() for text in (key, *all_texts(each))]
    return [text for each in value for text in all_texts(each)] if isinstance(value, list) else []


@bounded
@given(secretive())
def test_no_secret_survives(drawn):
    """No secret is left in any text or key of a masked value, whatever is around it."""
    secrets, value = drawn
    found = mask(dict(enumerate_names(secrets)), [name for name, _ in enumerate_names(secrets)], ())
    kept = [secret.strip() for secret in secrets if len(secret.strip()) >= SHORTEST]
    for text in all_texts(found.value(value)):
        left = text.replace(MASKED, "\0")  # what the stars themselves spell is no secret
        assert not any(secret in left for secret in kept)


def enumerate_names(secrets: list[str]) -> list[tuple[str, str]]:
    """Give each secret a variable's name."""
    return [(f"SECRET_{at}", secret) for at, secret in enumerate(secrets)]


@bounded
@given(secretive())
def test_masking_twice_is_masking_once(drawn):
    """A masked value is unchanged when it is masked again."""
    secrets, value = drawn
    found = Mask(tuple(sorted(secrets, key=len, reverse=True)))
    assert found.value(found.value(value)) == found.value(value)


@bounded
@given(secretive(), st.booleans())
def test_a_masked_request_is_bound_to_itself(drawn, redact):
    """A request is masked the same way each time, so that its cassette fits."""
    secrets, value = drawn
    request = RunRequest(App("w", "v", "a"), "latest", {"A": {"x": value}}, [{"email": secrets[0]}], None)
    bound = binding.bound(request)
    session = Mask(tuple(secrets[1:]), (("email",),) if redact else ())
    once, again = (session.covering(bound).value(bound) for _ in range(2))
    assert not list(differences(once, again))
    assert once.keys() == bound.keys()


@bounded
@given(secretive())
def test_a_redacted_text_survives_nowhere_in_the_reply(drawn):
    """A text that a pattern names in the request is in no text of the masked answer."""
    secrets, reply = drawn
    covering = redacting("inputs.*.token").covering({"inputs": [{"token": secrets[0]}]})
    for text in all_texts(covering.value(reply)):
        assert secrets[0] not in text.replace(MASKED, "\0")
