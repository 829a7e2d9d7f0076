"""What tests of the middleware are given."""

import pytest
from web_calls import Site


@pytest.fixture(params=["asgi", "wsgi"])
def site(request: pytest.FixtureRequest) -> Site:
    """The same application behind either kind of middleware."""
    return Site(request.param)
