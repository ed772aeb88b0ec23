"""Commands of `hito` that have more to say than a line in `cli` can hold; each module is one."""
