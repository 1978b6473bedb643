"""Who may see a document: everybody, staff, or named groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.audiences import CUSTOMER, STAFF, audience_of, may_see, part_of, parts_with, who_asks
from knowledge.errors import TermsError


@pytest.mark.parametrize(
    ("said", "audience"),
    [
        ("public", "public"),
        ("Internal", "internal"),
        (" vip ", "vip"),
        ("vip,trade", "trade,vip"),
        ("vip, trade , vip", "trade,vip"),
        ("internal,vip", "internal,vip"),
        ("a", "a"),
        ("2026-sale", "2026-sale"),
        ("g" * 40, "g" * 40),
    ],
)
def test_an_audience_has_one_spelling(said, audience):
    """Small letters, no spaces, groups in order and each once."""
    assert audience_of(said) == audience_of(audience) == audience


def test_everybody_sees_what_is_public():
    """Customers only that; staff also what is internal, but not what is for a group."""
    assert may_see("public", CUSTOMER) and may_see("public", STAFF) and may_see("public", who_asks("vip"))
    assert not may_see("internal", CUSTOMER) and may_see("internal", STAFF)
    assert not may_see("vip", CUSTOMER) and not may_see("vip", STAFF)


def test_one_group_of_those_named_is_enough():
    """A document for two groups is for both of them."""
    assert may_see("trade,vip", who_asks("vip")) and may_see("trade,vip", who_asks("trade"))
    assert not may_see("trade,vip", who_asks("press"))


def test_a_group_is_not_a_part_of_another_ones_name():
    """Nor are two names that run together."""
    assert not may_see("vip-plus", who_asks("vip")) and not may_see("vip", who_asks("vip-plus"))
    assert not may_see("trade,vip", {"trade,vip"})


def test_who_asks_belongs_to_the_public_too():
    """Without a group they are a customer."""
    assert who_asks("") == who_asks(" , ") == who_asks("public") == CUSTOMER
    assert who_asks("internal") == STAFF
    assert who_asks("VIP, trade") == {"public", "vip", "trade"}


def test_each_audience_has_parts_of_its_own():
    """One for what is in force or to come, one for what is over."""
    assert part_of("public") == "public" and part_of("public", is_past=True) == "public.past"
    assert part_of("trade,vip") == "trade_vip" and part_of("trade,vip", is_past=True) == "trade_vip.past"


def test_what_is_over_by_the_calendar_alone_may_still_lie_with_what_is_in_force():
    """Nobody moves a vector at the stroke of midnight."""
    assert parts_with("public") == {"public"}
    assert parts_with("public.past") == {"public", "public.past"}


names = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name not in ("past", "public")
)


@given(st.lists(names, min_size=1, max_size=4), st.lists(names, min_size=1, max_size=4))
def test_two_audiences_never_share_a_part(one, other):
    """Otherwise the vectors of the one would be searched for the other."""
    first, second = audience_of(",".join(one)), audience_of(",".join(other))

    assert (part_of(first) == part_of(second)) == (first == second)
    assert part_of(first) != part_of(second, is_past=True)


@given(st.text(max_size=30))
def test_any_text_is_an_audience_or_a_sentence(text):
    """And what is one stays the same when it is read again."""
    try:
        audience = audience_of(text)
    except TermsError as error:
        assert ": " in str(error)
    else:
        assert audience_of(audience) == audience and may_see(audience, who_asks(audience.split(",")[0]))


@pytest.mark.parametrize("name", ["", ",", "vip,", "v_ip", "v ip", "-vip", "vip-", "past", "vip.past", "é", "g" * 41])
def test_what_is_no_group_is_a_sentence(name):
    """It says what a group may be called."""
    with pytest.raises(TermsError, match="is no audience: use public, internal, or names of groups"):
        audience_of(name)


def test_public_beside_others_is_a_sentence():
    """One of the two was not meant."""
    with pytest.raises(TermsError, match="'public,vip' names public beside others: a public document is for everybody"):
        audience_of("public,vip")


def test_too_many_groups_are_a_sentence():
    """Ten fit the name of a part."""
    assert len(part_of(audience_of(",".join(f"{n}" * 40 for n in range(10))), is_past=True)) < 480

    with pytest.raises(TermsError, match="11 groups are too many for one document: name at most 10"):
        audience_of(",".join(f"group-{n}" for n in range(11)))


def test_who_asks_refuses_what_is_no_group():
    """A typing error must not silently be nobody."""
    with pytest.raises(TermsError, match="'v_ip' is no audience"):
        who_asks("vip,v_ip")
