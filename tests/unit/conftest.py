"""Pure tests: nothing here needs a server."""

import tests.support.profile  # noqa: F401 - sets up hypothesis
