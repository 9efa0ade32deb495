"""The pure core: what a build is and what should happen next. Must never touch a clock, a file, a process or a network."""
