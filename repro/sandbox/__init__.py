"""Running code that nobody vouches for: what it may do is named, by the kernel's own means, and all else is refused.

`confine` has the order in which a process gives up its rights, `offer` what a machine has to keep it to that, `worker`
and `server` the processes: one with torch imported, and a fork of it for each piece of code.
"""
