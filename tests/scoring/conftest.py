from hypothesis import settings

# The same examples each time, and no clock: a busy machine fails no test.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")
