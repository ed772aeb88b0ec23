"""Local stand-ins of vendors' HTTP APIs, serving one believable company each, for the demo and the tests."""
