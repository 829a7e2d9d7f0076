"""HTTP clients whose requests a limiter lets pass, each in a module of its own."""
