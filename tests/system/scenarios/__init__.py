"""The scenarios by theme. Each is a function of one fresh rig, and its name is the sentence that it shows."""

ALL = []


def scenario(function):
    """Registers a scenario."""
    ALL.append(function)
    return function
