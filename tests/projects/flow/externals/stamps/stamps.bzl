"""A rule's macro that a workspace loads from an external repository."""

def stamp(name, text, **kwargs):
    """A file of one line."""
    native.genrule(
        name = name,
        outs = [name + ".txt"],
        cmd = "echo '%s' > $@" % text,
        **kwargs
    )
