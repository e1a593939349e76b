import pytest

from warmline.server.settings import Secret

pytestmark = pytest.mark.unit


def test_secret_when_shown_is_masked():
    """A log or a traceback that holds a secret by accident does not give it away."""
    secret = Secret("the-real-thing")

    shown = f"{secret} {secret!r} {[secret]}"

    assert "the-real-thing" not in shown
    assert secret.reveal() == "the-real-thing"


@pytest.mark.parametrize("candidate", ["", "the-real-thin", "the-real-thing ", "thé-real-thing", "\udcff"])
def test_secret_with_another_text_does_not_match(candidate):
    """Any text may be offered, as any header may come."""
    assert not Secret("the-real-thing").matches(candidate)


def test_secret_with_the_same_text_matches():
    """The right key is let in."""
    assert Secret("the-real-thing").matches("the-real-thing")
    assert Secret("the-real-thing") == Secret("the-real-thing")
    assert Secret("the-real-thing") != "the-real-thing"
